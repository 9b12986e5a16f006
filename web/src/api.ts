// The query API: Connect's unary JSON over POST, service querier.v1.QuerierService.
//
// int64 arrive as strings and zero fields are left out (protojson), so every
// field of an answer is optional here.

import type { FlameGraphJson } from './flame/graph.ts';
import type { Window } from './range.ts';
import { urlTenant } from './url.ts';

export interface ProfileType {
	ID: string;
	name?: string;
	sampleType?: string;
	sampleUnit?: string;
	periodType?: string;
	periodUnit?: string;
}

export interface SeriesJson {
	labels?: { name: string; value: string }[];
	points?: { value?: number | string; timestamp?: number | string }[];
}

/** What the server answered, in its own words, with the HTTP status and Connect code. */
export class ApiError extends Error {
	readonly status: number;
	readonly code: string;

	constructor(status: number, code: string, message: string) {
		super(message);
		this.status = status;
		this.code = code;
	}
}

async function errorOf(response: Response): Promise<ApiError> {
	const text = await response.text().catch(() => '');
	try {
		const body = JSON.parse(text) as { code?: string; message?: string };
		return new ApiError(response.status, body.code ?? '', body.message ?? `HTTP ${response.status}`);
	} catch {
		return new ApiError(response.status, '', text.slice(0, 500) || `HTTP ${response.status}`);
	}
}

async function post(url: URL, body: unknown, signal?: AbortSignal): Promise<Response> {
	const tenant = urlTenant(location.search);
	try {
		return await fetch(url, {
			method: 'POST',
			headers: { 'content-type': 'application/json', ...(tenant ? { 'x-scope-orgid': tenant } : {}) },
			body: JSON.stringify(body),
			signal,
		});
	} catch (e) {
		if (signal?.aborted)
			throw e;
		throw new ApiError(0, 'unavailable', 'No answer from the server. Is cresset still running?');
	}
}

async function call<T>(method: string, body: unknown, signal?: AbortSignal): Promise<T> {
	const url = new URL(`querier.v1.QuerierService/${method}`, document.baseURI);
	// A page that was opened as http://NAME:PASSWORD@HOST/ may not fetch such an address; the browser sends both anyway.
	url.username = '';
	url.password = '';
	const response = await post(url, body, signal);
	if (!response.ok)
		throw await errorOf(response);
	try {
		return await response.json() as T;
	} catch (e) {
		if (signal?.aborted)
			throw e;
		throw new ApiError(response.status, '', `${method}: the answer is not JSON`);
	}
}

function times(w: Window): { start: number; end: number } {
	return { start: Math.floor(w.start), end: Math.ceil(w.end) };
}

/** All types that are stored; start and end 0 mean "any time". */
export async function apiProfileTypes(signal?: AbortSignal): Promise<ProfileType[]> {
	const r = await call<{ profileTypes?: ProfileType[] }>('ProfileTypes', { start: 0, end: 0 }, signal);
	return r.profileTypes ?? [];
}

export async function apiLabelNames(selector: string, w: Window): Promise<string[]> {
	const r = await call<{ names?: string[] }>('LabelNames', { matchers: [selector], ...times(w) });
	return r.names ?? [];
}

export async function apiLabelValues(name: string, selector: string, w: Window): Promise<string[]> {
	const r = await call<{ names?: string[] }>('LabelValues', { name, matchers: [selector], ...times(w) });
	return r.names ?? [];
}

/** A point at t covers (t - step, t], so the first one that is wanted is at start + step. */
export async function apiSelectSeries(type: string, selector: string, groupBy: string[], w: Window,
	signal?: AbortSignal): Promise<SeriesJson[]> {
	const r = await call<{ series?: SeriesJson[] }>('SelectSeries', {
		profileTypeID: type, labelSelector: selector, groupBy, step: w.step, ...times({ ...w, start: w.start + w.step * 1000 }),
	}, signal);
	return r.series ?? [];
}

export async function apiFlameGraph(type: string, selector: string, maxNodes: number, w: Window,
	signal?: AbortSignal): Promise<FlameGraphJson> {
	const r = await call<{ flamegraph?: FlameGraphJson }>('SelectMergeStacktraces', {
		profileTypeID: type, labelSelector: selector, maxNodes, ...times(w),
	}, signal);
	return r.flamegraph ?? {};
}
