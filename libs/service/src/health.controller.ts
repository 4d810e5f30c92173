import { Controller, Get, Header, Inject } from '@nestjs/common';
import { HealthCheck, HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';
import { Lifecycle, Metrics, METRICS_TYPE } from '#libs/process';

/** What a service can need to be ready. */
export type Need = 'mongodb' | 'nats';

/** Looks at one need; throws with the reason if it is not there. */
export type NeedChecks = ReadonlyMap<Need, () => Promise<void> | void>;
export const NEEDS = Symbol('needs');

const CHECK_MS = 2_000;

/** Health for Kubernetes and metrics for Prometheus, the same in each service. */
@Controller()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly lifecycle: Lifecycle,
    @Inject(NEEDS) private readonly needs: NeedChecks,
    private readonly measured: Metrics,
  ) {
    measured.gauge('smspay_ready', '1 while work may be sent here', () =>
      this.ready().then(
        () => 1,
        () => 0,
      ),
    );
  }

  /** The process runs. Looks at nothing outside: an outage of MongoDB must not restart every pod. */
  @Get('health/live')
  @HealthCheck()
  live() {
    return this.health.check([]);
  }

  /** Work may be sent here. False from the first moment of shutdown. */
  @Get('health/ready')
  @HealthCheck()
  ready() {
    return this.health.check([
      () =>
        this.lifecycle.accepting ? this.indicators.check('accepting').up() : this.indicators.check('accepting').down('stopping'),
      ...[...this.needs].map(
        ([need, look]) =>
          () =>
            this.indicators
              .check(need)
              .attempt(() => look())
              .withTimeout(CHECK_MS),
      ),
    ]);
  }

  @Get('metrics')
  @Header('Content-Type', METRICS_TYPE)
  metrics() {
    return this.measured.text();
  }
}
