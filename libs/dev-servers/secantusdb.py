#!/usr/bin/env python3
"""SecantusDB, started by a mongod's arguments. A stand-in: for development and tests, never for money."""

import argparse
import sys

from secantus import cli, transactions

# It keeps a record of each retryable write, and looks through all of them at every write: with its own bound of 10,000 each write gets
# dearer than the one before. A record is needed for as long as the driver may send its write again, which is at once.
transactions._RETRYABLE_RECORD_MAX = 256


class Server(cli.SecantusDBServer):
    """Asks for a login once there is a user: who makes the first one has none yet. (A mongod takes the first from its own machine only.)"""

    @property
    def require_auth(self):
        self._login = self._login or self._key_file and bool(self.storage.list_users(limit=1))
        return self._login

    @require_auth.setter
    def require_auth(self, key_file):
        self._login, self._key_file = False, key_file


cli.SecantusDBServer = Server

parser = argparse.ArgumentParser(prog='mongod', description=__doc__, allow_abbrev=False)
parser.add_argument('--dbpath', required=True)
parser.add_argument('--port', default='27017')
parser.add_argument('--bind_ip', default='127.0.0.1')
parser.add_argument('--bind_ip_all', action='store_const', dest='bind_ip', const='0.0.0.0')
parser.add_argument('--replSet', help='has no effect: it is a set of one member from the start')
parser.add_argument('--setParameter', help='has no effect')
parser.add_argument('--keyFile', help='makes it ask for logins; there are no members that would prove themselves by it')
given = parser.parse_args()

sys.exit(
    cli.main(
        ['--storage-path', given.dbpath, '--host', given.bind_ip, '--port', given.port, '--sync-on-commit']
        + (['--auth'] if given.keyFile else [])
    )
)
