// Calls a running server with Connect's own client over each of its transports, against our .proto
// files: node call.mjs URL DESCRIPTORS START END PROFILE. DESCRIPTORS is what protoc
// --descriptor_set_out writes. Stores a pprof in PROFILE. Prints one line per check; exits 1 at the
// first that fails.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';

const [baseUrl, descriptors, start, end, profilePath] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, fs.readFileSync(descriptors)));
const service = (name) => registry.getService(name);
const profileTypeID = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const range = { start: BigInt(start), end: BigInt(end) };
const select = { profileTypeID, labelSelector: '{service_name="demo"}', ...range };

const transports = {
	'Connect, HTTP/1.1, JSON': createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false }),
	'Connect, HTTP/1.1, protobuf': createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: true }),
	'Connect, HTTP/2, protobuf': createConnectTransport({ baseUrl, httpVersion: '2', useBinaryFormat: true }),
	'gRPC, protobuf': createGrpcTransport({ baseUrl }),
	'gRPC, JSON': createGrpcTransport({ baseUrl, useBinaryFormat: false }),
	'gRPC-web, HTTP/1.1, protobuf': createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }),
	'gRPC-web, HTTP/1.1, JSON': createGrpcWebTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false }),
	'gRPC-web, HTTP/2': createGrpcWebTransport({ baseUrl, httpVersion: '2' }),
};

async function fails(code, promise) {
	try {
		await promise;
	} catch (error) {
		assert.equal(ConnectError.from(error).code, code);
		return ConnectError.from(error).rawMessage;
	}
	return assert.fail(`code ${Code[code]} was expected`);
}

async function queries(name, transport) {
	const querier = createClient(service('querier.v1.QuerierService'), transport);
	const types = await querier.profileTypes(range);
	assert.ok(types.profileTypes.some((type) => type.ID === profileTypeID), name);
	assert.ok((await querier.labelNames(range)).names.includes('service_name'));
	assert.deepEqual((await querier.labelValues({ name: 'service_name', ...range })).names, ['demo']);
	const series = await querier.series({ labelNames: ['service_name'], ...range });
	assert.equal(series.labelsSet[0].labels[0].value, 'demo');

	const { flamegraph } = await querier.selectMergeStacktraces(select);
	assert.equal(flamegraph.total, 480000000n);
	assert.equal(flamegraph.levels[0].values[1], 480000000n);
	const tree = await querier.selectMergeStacktraces({ ...select, format: 2 });
	assert.ok(tree.tree.length > 10);
	const pprof = await querier.selectMergeStacktraces({ ...select, format: 4 });
	const profile = await querier.selectMergeProfile(select);
	assert.deepEqual(pprof.pprof.profile, profile);
	assert.equal(profile.sample.reduce((sum, sample) => sum + sample.value[0], 0n), 480000000n);
	fs.writeFileSync(profilePath, toBinary(registry.getMessage('google.v1.Profile'), profile));

	const points = await querier.selectSeries({ ...select, step: 15, exemplarType: 2 });
	const point = points.series[0].points.find((p) => p.value > 0);
	// Its samples have pprof labels, so they are two series: the larger one.
	assert.equal(point.exemplars[0].value, 280000000n);
	const one = await querier.selectMergeStacktraces({ ...select, profileIdSelector: [point.exemplars[0].profileId] });
	assert.equal(one.flamegraph.total, 280000000n);
	const heatmap = await querier.selectHeatmap({ ...select, step: 15, queryType: 1, exemplarType: 2 });
	assert.equal(heatmap.series[0].slots[0].counts.length, 20);
	const diff = await querier.diff({ left: select, right: { ...select, labelSelector: '{service_name="none"}' } });
	assert.equal(diff.flamegraph.leftTicks, 480000000n);
	assert.equal(diff.flamegraph.levels[0].values.length, 7);
	assert.ok((await querier.getProfileStats({})).dataIngested);
	assert.ok((await querier.analyzeQuery({ query: select.labelSelector, ...range })).queryScopes[0].seriesCount > 0n);

	assert.match(await fails(Code.InvalidArgument, querier.selectMergeStacktraces({ profileTypeID })),
		/start and end must be given/);
	await fails(Code.Unimplemented, createClient(service('vcs.v1.VCSService'), transport).githubApp({}));
	console.log(`ok ${name}`);
}

async function settings(transport) {
	const client = createClient(service('settings.v1.SettingsService'), transport);
	await client.set({ setting: { name: 'pluginSettings', value: '{"maxNodes":7}' } });
	const { settings: list } = await client.get({});
	assert.equal(list.find((setting) => setting.name === 'pluginSettings').value, '{"maxNodes":7}');
	await client.delete({ name: 'pluginSettings' });
	assert.equal((await client.get({})).settings.length, 0);
	const flags = await createClient(service('capabilities.v1.FeatureFlagsService'), transport).getFeatureFlags({});
	assert.ok(flags.featureFlags.some((flag) => flag.name === 'utf8LabelNames' && flag.enabled));
	console.log('ok settings and feature flags');
}

for (const [name, transport] of Object.entries(transports)) {
	await queries(name, transport);
}
await settings(transports['gRPC-web, HTTP/1.1, protobuf']);
process.exit(0); // HTTP/2 sessions would linger
