export * from './crash-point.ts';
export * from './lifecycle.ts';
export * from './logging.ts';
export * from './metrics.ts';
export * from './tracing.ts';
