import { Controller, Get, Header, Inject } from '@nestjs/common';
import { HealthCheck, HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';
import { Lifecycle, Metrics, METRICS_TYPE } from '#libs/runtime';

/** What a service can need to be ready. */
export type Need = 'mongodb' | 'nats' | 'clock';

/** Says why a need is not met; undefined if it is. Answers at once: what it says was seen before. */
export type NeedChecks = ReadonlyMap<Need, () => string | undefined>;
export const NEEDS = Symbol('needs');

/** Health for Kubernetes and metrics for Prometheus, the same in each service. */
@Controller()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly lifecycle: Lifecycle,
    @Inject(NEEDS) private readonly needs: NeedChecks,
    private readonly metrics: Metrics,
  ) {
    metrics.gauge('smspay_ready', '1 while work may be sent here', () =>
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
    const checks: [string, () => string | undefined][] = [
      ['accepting', () => (this.lifecycle.accepting ? undefined : 'stopping')],
      ...this.needs,
    ];
    return this.health.check(
      checks.map(([name, look]) => () => {
        const problem = look();
        const indicator = this.indicators.check(name);
        return problem === undefined ? indicator.up() : indicator.down(problem);
      }),
    );
  }

  @Get('metrics')
  @Header('Content-Type', METRICS_TYPE)
  read() {
    return this.metrics.text();
  }
}
