/** Writes a line of JSON: when, who, what happened, and more about it. Never a token or a key. */
export function writeLog(level: 'info' | 'warn', service: string, event: string, more: object = {}): void {
  console.log(JSON.stringify({ level, time: new Date(), service, event, ...more }));
}
