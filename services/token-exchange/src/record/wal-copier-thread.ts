// The thread of wal-copier.ts: copies when it is told to. Several such messages that wait are as good as one.
import { DatabaseSync } from 'node:sqlite';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';

const database = new DatabaseSync(String(workerData));
// FULL: the log is on the disk before it is copied, and the copy before the log may be overwritten
database.exec('PRAGMA synchronous = FULL');
// PASSIVE: waits for nobody, and nobody for it
const copy = database.prepare('PRAGMA wal_checkpoint(PASSIVE)');

const port = parentPort;
port?.on('message', (message) => {
  const messages = [message];
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) messages.push(next.message);
  if (messages.includes('copy')) copy.all();
  if (!messages.includes('end')) return;
  database.close();
  port.close();
});
