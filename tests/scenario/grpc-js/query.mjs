// Calls a running server's query API with grpc-js and our .proto files: node query.mjs HOST:PORT
// PROTO_DIR START END. Prints one line per check; exits 1 at the first that fails.
import assert from 'node:assert/strict';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const [address, protoDir, start, end] = process.argv.slice(2);
const definition = loader.loadSync('querier/v1/querier.proto', { includeDirs: [protoDir], keepCase: true, longs: String });
const { querier } = grpc.loadPackageDefinition(definition);
const client = new querier.v1.QuerierService(address, grpc.credentials.createInsecure(),
	{ 'grpc.default_compression_algorithm': 2 });
const call = (method, request, options = {}) => new Promise((resolve, reject) => {
	client[method](request, options, (error, reply) => (error ? reject(error) : resolve(reply)));
});
const select = {
	profile_typeID: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds', label_selector: '{service_name="demo"}', start, end,
};

const { flamegraph } = await call('SelectMergeStacktraces', select);
assert.equal(flamegraph.total, '480000000');
assert.equal(flamegraph.names[0], 'total');
const profile = await call('SelectMergeProfile', select);
assert.equal(profile.string_table[0], '');
assert.ok(profile.string_table.includes('main.spin'));
assert.deepEqual((await call('LabelValues', { name: 'service_name' })).names, ['demo']);
await assert.rejects(call('SelectSeries', select), { code: grpc.status.INVALID_ARGUMENT });
client.close();
console.log('ok grpc-js');
