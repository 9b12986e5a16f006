// Calls a running test server (tests/unit/net/serve.c) with grpc-js: node call.mjs HOST:PORT UNIX_PATH
// [CA_FILE]. Prints one line per check; exits 1 at the first that fails.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import grpc from '@grpc/grpc-js';

const [address, unixPath, caFile] = process.argv.slice(2);
const same = (value) => value;
const GZIP = 2;

function connect(target, credentials, options = {}) {
	const client = new grpc.Client(target, credentials, {
		'grpc.max_receive_message_length': 32 << 20,
		'grpc.enable_retries': 0,
		...options,
	});
	const call = (path, message, deadlineMs = 10000) => new Promise((resolve) => {
		const result = {};
		const stream = client.makeUnaryRequest(path, same, same, message, new grpc.Metadata(),
			{ deadline: Date.now() + deadlineMs }, (error, reply) => {
				result.error = error;
				result.reply = reply;
			});
		stream.on('metadata', (metadata) => { result.metadata = metadata; });
		// The callback comes before the status event.
		stream.on('status', (status) => { result.status = status; resolve(result); });
	});
	return { call, close: () => client.close() };
}

async function echoes(name, target, credentials, options) {
	const { call, close } = connect(target, credentials, options);
	for (const size of [0, 1, 1000, 100000, 3000000]) {
		const message = Buffer.alloc(size, 'cresset');
		const { error, reply, status } = await call('/test.Echo/Call', message);
		assert.ifError(error);
		assert.equal(status.code, grpc.status.OK);
		assert.ok(message.equals(reply), `${name}: ${size} bytes come back`);
	}
	const many = await Promise.all(Array.from({ length: 200 }, (_, i) =>
		call('/test.Echo/Call', Buffer.from(`number ${i}`))));
	many.forEach(({ error, reply }, i) => {
		assert.ifError(error);
		assert.equal(reply.toString(), `number ${i}`);
	});
	close();
	console.log(`ok ${name}`);
}

async function errors(target, credentials) {
	const { call, close } = connect(target, credentials);
	let { error, status } = await call('/test.Echo/Fail', Buffer.from('x'));
	assert.equal(error.code, grpc.status.RESOURCE_EXHAUSTED);
	assert.equal(error.details, 'zu viel auf einmal: 100 % schön');
	const details = status.metadata.get('grpc-status-details-bin')[0];
	assert.ok(details.includes('type.googleapis.com/google.rpc.RetryInfo'));
	// Duration {1 s, 500,000,000 ns}.
	assert.ok(details.includes(Buffer.from([0x08, 0x01, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01])));
	({ error } = await call('/no.Such/Method', Buffer.from('x')));
	assert.equal(error.code, grpc.status.UNIMPLEMENTED);
	({ error } = await call('/test.Echo/Slow', Buffer.from('x'), 300));
	assert.equal(error.code, grpc.status.DEADLINE_EXCEEDED);
	({ error } = await call('/test.Echo/Small', Buffer.alloc(5000)));
	assert.equal(error.code, grpc.status.RESOURCE_EXHAUSTED);
	assert.match(error.details, /at most 1000 bytes/);
	({ error } = await call('/test.Echo/Call', Buffer.from('still there')));
	assert.ifError(error);
	close();
	console.log('ok errors');
}

if (caFile) {
	const credentials = grpc.credentials.createSsl(fs.readFileSync(caFile));
	await echoes('tls', address, credentials);
	await echoes('tls, gzip', address, credentials, { 'grpc.default_compression_algorithm': GZIP });
} else {
	const credentials = grpc.credentials.createInsecure();
	await echoes('clear text', address, credentials);
	await echoes('gzip', address, credentials, { 'grpc.default_compression_algorithm': GZIP });
	await echoes('unix socket', `unix:${unixPath}`, credentials);
	await errors(address, credentials);
}
