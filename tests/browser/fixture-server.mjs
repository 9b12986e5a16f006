// A stand-in for the server in the tests of the page: serves web/dist as the real
// one does (gzip, strict CSP, caching) and answers the query API as documented,
// from deterministic data. Besides, it can be told to have no data or to fail.
//
// By hand: node fixture-server.mjs [port]

import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { EDGES, SERVICES, stacksOf } from './fixture-data.mjs';
import { seedOf, treeAdd, treeCreate, treeEncode } from './fixture-tree.mjs';

export const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
	+ "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
const DIST = join(fileURLToPath(new URL('.', import.meta.url)), '../../web/dist');
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const OFF_CPU = 'off_cpu:off_cpu:nanoseconds::';
const HTTP_OF = { invalid_argument: 400, unauthenticated: 401, not_found: 404, unimplemented: 501, unavailable: 503, internal: 500 };

class Refused extends Error {
	constructor(code, message) {
		super(message);
		this.code = code;
	}
}

function parseSelector(text) {
	const out = [];
	const rule = /\s*"?([a-zA-Z_][a-zA-Z0-9_.]*)"?\s*(=~|!~|!=|=)\s*("(?:\\.|[^"\\])*")\s*(,|$)/sy;
	const body = text.trim().replace(/^\{|\}$/g, '');
	for (let at = 0; at < body.length; at = rule.lastIndex) {
		rule.lastIndex = at;
		const m = rule.exec(body);
		if (!m)
			throw new Refused('invalid_argument', `parse error at ${at}: unexpected "${body.slice(at, at + 10)}"`);
		out.push({ name: m[1], op: m[2], value: JSON.parse(m[3]) });
	}
	return out;
}

function matches(labels, matchers) {
	return matchers.every(({ name, op, value }) => {
		const own = labels[name] ?? '';
		const equal = op.endsWith('~') ? new RegExp(`^(?:${value})$`).test(own) : own === value;
		return op.startsWith('!') ? !equal : equal;
	});
}

const HOST = [...SERVICES, ...EDGES.map((name) => ({ name, cores: 0, labels: {} }))];

/** The edge services have no share of the host, so that they stay out of the normal pictures. */
function select(selector) {
	const matchers = parseSelector(selector ?? '{}');
	const named = matchers.some((m) => m.name === 'service_name' && m.op === '=');
	return HOST.filter((s) => (named || s.cores > 0) && matches({ service_name: s.name, ...s.labels }, matchers));
}

const GRAIN_S = 5;

/** CPU ns a second of a service in the grain that ends at t (s): a level, a wave, and some noise. */
function rateAt(service, type, t) {
	const cores = (service.cores || 0.5) * (type === OFF_CPU ? 3 : 1);
	const seed = seedOf(service.name);
	const wave = 1 + 0.35 * Math.sin(t / (90 + seed % 400) + seed % 7);
	const noise = 0.8 + 0.4 * ((Math.imul(seed ^ t, 2654435761) >>> 0) / 2 ** 32);
	return Math.round(cores * wave * noise * 1e9);
}

/** CPU ns in (from, to], both in seconds; nothing before since (ms). */
function cpuBetween(service, type, from, to, since) {
	let sum = 0;
	for (let at = from; at < to;) {
		const grain = Math.min(to, Math.floor(at / GRAIN_S) * GRAIN_S + GRAIN_S);
		if (grain * 1000 >= since)
			sum += rateAt(service, type, Math.ceil(grain / GRAIN_S) * GRAIN_S) * (grain - at);
		at = grain;
	}
	return sum;
}

function needTimes(q) {
	if (!(Number(q.start) > 0) || !(Number(q.end) > 0))
		throw new Refused('invalid_argument', 'missing time range in the query');
	if (Number(q.start) > Number(q.end))
		throw new Refused('invalid_argument', 'start must be before end');
}

function points(service, type, q, since) {
	const step = Number(q.step);
	const out = [];
	for (let ms = Number(q.start); ms <= Number(q.end); ms += step * 1000) {
		const value = cpuBetween(service, type, ms / 1000 - step, ms / 1000, since);
		if (value > 0)
			out.push({ value, timestamp: String(ms) });
	}
	return out;
}

const stackCache = new Map();
function cachedStacks(name) {
	if (!stackCache.has(name))
		stackCache.set(name, stacksOf(name));
	return stackCache.get(name);
}

function typeJson(id) {
	const [name, sampleType, sampleUnit, periodType, periodUnit] = id.split(':');
	return Object.fromEntries(Object.entries({ ID: id, name, sampleType, sampleUnit, periodType, periodUnit }).filter(([, v]) => v));
}

/** One method per RPC: (request, state) → answer. */
const METHODS = {
	ProfileTypes: (_q, st) => (st.empty ? {} : { profileTypes: [CPU, OFF_CPU].map(typeJson) }),
	LabelNames: (q, st) => {
		needTimes(q);
		const names = new Set(['__profile_type__', 'service_name', ...select(q.matchers?.[0]).flatMap((s) => Object.keys(s.labels))]);
		return st.empty ? {} : { names: [...names].sort() };
	},
	LabelValues: (q, st) => {
		needTimes(q);
		const values = select(q.matchers?.[0]).map((s) => (q.name === 'service_name' ? s.name : s.labels[q.name])).filter(Boolean);
		return st.empty ? {} : { names: [...new Set(values)].sort() };
	},
	Series: (q, st) => {
		needTimes(q);
		return st.empty ? {} : { labelsSet: select(q.matchers?.[0]).map((s) => ({ labels: [{ name: 'service_name', value: s.name }] })) };
	},
	SelectSeries: (q, st) => {
		needTimes(q);
		if (!(Number(q.step) >= 0.001))
			throw new Refused('invalid_argument', 'step must be at least 1 ms');
		if (st.empty)
			return {};
		const by = (q.groupBy ?? []).includes('service_name');
		return { series: select(q.labelSelector).map((s) => ({
			labels: by ? [{ name: 'service_name', value: s.name }] : [], points: points(s, q.profileTypeID, q, st.since),
		})) };
	},
	SelectMergeStacktraces: (q, st) => {
		needTimes(q);
		const root = treeCreate();
		for (const s of st.empty ? [] : select(q.labelSelector)) {
			const cpu = cpuBetween(s, q.profileTypeID, q.start / 1000, q.end / 1000, st.since);
			for (const [stack, weight] of cachedStacks(s.name))
				treeAdd(root, stack, Math.round(cpu * weight));
		}
		return root.total > 0 ? { flamegraph: treeEncode(root, Number(q.maxNodes) || 8192) } : { flamegraph: { names: ['total'], levels: [{ values: ['0', '0', '0', '0'] }] } };
	},
};

function wantsGzip(req) {
	return /\bgzip\b/.test(req.headers['accept-encoding'] ?? '');
}

/** body is text, or an answer kept with both of its forms. */
function send(req, res, status, headers, body) {
	const zip = body.length !== 0 && wantsGzip(req);
	res.writeHead(status, { ...headers, ...(zip ? { 'content-encoding': 'gzip' } : {}), vary: 'accept-encoding' });
	res.end(zip ? body.zipped ?? gzipSync(body, { level: 6 }) : body.plain ?? body);
}

/** With state.keep, a question that differs only in its times is answered from memory. */
function answer(method, text, state) {
	const q = JSON.parse(text);
	const key = JSON.stringify([method, q.profileTypeID, q.labelSelector, q.maxNodes]);
	const kept = state.keep?.get(key);
	if (kept)
		return kept;
	const plain = JSON.stringify(METHODS[method](q, state));
	if (!state.keep)
		return plain;
	state.keep.set(key, { plain, zipped: gzipSync(plain, { level: 6 }) });
	return state.keep.get(key);
}

function sendError(req, res, code, message) {
	send(req, res, HTTP_OF[code] ?? 500, { 'content-type': 'application/json' }, JSON.stringify({ code, message }));
}

function serveFile(req, res, path) {
	const name = path === '/' ? '/index.html' : normalize(path);
	if (name !== '/index.html' && !name.startsWith('/assets/'))
		return sendError(req, res, 'not_found', `${path}: not found`);
	let body;
	try {
		body = readFileSync(join(DIST, name));
	} catch {
		return sendError(req, res, 'not_found', `${path}: not found`);
	}
	return send(req, res, 200, {
		'content-type': TYPES[extname(name)], 'content-security-policy': CSP, 'x-content-type-options': 'nosniff',
		'cache-control': name === '/index.html' ? 'no-cache' : 'public, max-age=31536000, immutable',
	}, body);
}

async function readBody(req) {
	const parts = [];
	for await (const part of req)
		parts.push(part);
	return Buffer.concat(parts).toString('utf8');
}

async function serveCall(req, res, method, state) {
	state.calls.push(method);
	if (state.fail)
		return sendError(req, res, state.fail.code, state.fail.message);
	if (state.tenant && req.headers['x-scope-orgid'] !== state.tenant)
		return sendError(req, res, 'unauthenticated', 'no org id: send X-Scope-OrgID');
	if (!(req.headers['content-type'] ?? '').startsWith('application/json'))
		return send(req, res, 415, {}, '');
	if (!METHODS[method])
		return sendError(req, res, 'unimplemented', `${method} is not implemented`);
	try {
		const body = answer(method, await readBody(req), state);
		return send(req, res, 200, { 'content-type': 'application/json', 'cache-control': 'no-store' }, body);
	} catch (e) {
		return sendError(req, res, e instanceof Refused ? e.code : 'invalid_argument', e.message);
	}
}

/** Starts on a free port of loopback. state can be changed while it runs. */
export async function fixtureStart(options = {}) {
	const state = { empty: false, fail: null, since: 0, calls: [], keep: null, ...options };
	const server = createServer((req, res) => {
		const path = new URL(req.url, 'http://loopback').pathname;
		const call = /^\/querier\.v1\.QuerierService\/(\w+)$/.exec(path);
		if (call && req.method === 'POST')
			return void serveCall(req, res, call[1], state);
		return serveFile(req, res, decodeURIComponent(path));
	});
	await new Promise((done) => { server.listen(options.port ?? 0, '127.0.0.1', done); });
	return {
		url: `http://127.0.0.1:${server.address().port}/`,
		state,
		stop: () => new Promise((done) => {
			server.close(done);
			server.closeAllConnections();
		}),
	};
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const { url } = await fixtureStart({ port: Number(process.argv[2] ?? 0) });
	process.stdout.write(`${url}\n`);
}
