// busy.mjs SDK SERVER APP: burns CPU and keeps memory for two seconds under Pyroscope's SDK, pushes what it
// saw and ends.
const [sdk, serverAddress, appName] = process.argv.slice(2);
const { default: Pyroscope } = await import(sdk);

Pyroscope.init({
  appName,
  serverAddress,
  tags: { region: 'eu-1' },
  flushIntervalMs: 1300, // not when it stops: the SDK fails then
  heap: { samplingIntervalBytes: 4096 },
  wall: { samplingDurationMs: 1300, collectCpuTime: true },
});
Pyroscope.start();

let sum = 0;
const kept = [];
function burnMost(until) {
  while (performance.now() < until) for (let i = 0; i < 1e5; i++) sum += Math.sqrt(i);
}
function keepMemory() {
  for (let i = 0; i < 2000; i++) kept.push(new Array(500).fill(i));
}

keepMemory();
const end = performance.now() + 2000;
while (performance.now() < end) {
  Pyroscope.wrapWithLabels({ handler: 'checkout' }, () => burnMost(performance.now() + 100));
  await new Promise((resolve) => setTimeout(resolve, 5));
}
await Pyroscope.stop();
console.log(sum > 0 && kept.length > 0 ? 'pushed' : 'nothing');
