/** What the operators' pod runs: nothing, until it is ended. Operators come in by `kubectl exec … -- admin …`. */
process.once('SIGTERM', () => process.exit());
setInterval(() => undefined, 2 ** 30);
