import { type CanActivate, Injectable, ServiceUnavailableException } from '@nestjs/common';
import { Database } from './database.ts';

/** Answers 503 to what would write before the unique indexes were read back. */
@Injectable()
export class DatabaseReadyGuard implements CanActivate {
  constructor(private readonly database: Database) {}

  canActivate(): boolean {
    if (!this.database.opened) throw new ServiceUnavailableException('the database is not ready');
    return true;
  }
}
