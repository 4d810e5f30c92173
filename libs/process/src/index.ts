export * from './crash-point.ts';
export * from './host.ts';
export * from './lifecycle.ts';
export * from './logging.ts';
export * from './metrics.ts';
export * from './secrets.ts';
export * from './settings.ts';
export * from './tracing.ts';
