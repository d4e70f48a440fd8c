/**
 * Preloaded into every Node process that the demo starts (`node --import`): the process ends when the demo does, however that ended. The
 * channel to a parent closes even when the parent was killed with SIGKILL. Nobody is left to drain for, so it ends at once.
 */
process.once('disconnect', () => process.exit(1));
// Listening for 'disconnect' must not keep a process alive that has nothing else to do.
process.channel?.unref();
