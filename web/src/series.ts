// Points over time, aligned to one grid of buckets.

import type { SeriesJson } from './api.ts';
import type { Window } from './range.ts';

export interface Service {
	name: string;
	/** Value per bucket. */
	values: Float64Array;
	sum: number;
}

export interface Timeline {
	/** Bucket ends, in seconds since 1970. A point at t covers (t - step, t]. */
	times: number[];
	step: number;
	/** By sum, largest first. */
	services: Service[];
	/** 1 where any service has a point: elsewhere there is no data, which is not zero. */
	covered: Uint8Array;
	sum: number;
}

function bucketTimes(w: Window): number[] {
	const first = Math.floor(w.start / 1000 / w.step) * w.step;
	const count = Math.ceil((w.end / 1000 - first) / w.step) + 1;
	return Array.from({ length: count }, (_, i) => first + i * w.step);
}

/** Adds up series of one name; points outside the window are moved to its edge buckets. */
export function timelineBuild(json: SeriesJson[], label: string, w: Window): Timeline {
	const times = bucketTimes(w);
	const byName = new Map<string, Service>();
	const covered = new Uint8Array(times.length);
	for (const s of json) {
		const name = s.labels?.find((l) => l.name === label)?.value ?? '';
		const service = byName.get(name) ?? { name, values: new Float64Array(times.length), sum: 0 };
		byName.set(name, service);
		for (const p of s.points ?? []) {
			const i = Math.round((Number(p.timestamp ?? 0) / 1000 - times[0]) / w.step);
			const at = Math.min(times.length - 1, Math.max(0, i));
			service.values[at] += Number(p.value ?? 0);
			service.sum += Number(p.value ?? 0);
			covered[at] = 1;
		}
	}
	const services = [...byName.values()].filter((s) => s.sum > 0)
		.sort((a, b) => b.sum - a.sum || (a.name < b.name ? -1 : 1));
	return { times, step: w.step, services, covered, sum: services.reduce((n, s) => n + s.sum, 0) };
}

/** Seconds for which there is data, for honest averages right after a start. */
export function timelineCoveredSeconds(t: Timeline): number {
	return t.covered.reduce((n, c) => n + c, 0) * t.step;
}

export interface Layer {
	name: string;
	/** null where there is no data. */
	values: (number | null)[];
	sum: number;
}

/** The largest services one by one and the rest as one layer; or only the service given. */
export function timelineLayers(t: Timeline, service: string, top: number): Layer[] {
	if (service) {
		const own = t.services.find((s) => s.name === service);
		return [layer(t, service, own ? [own] : [])];
	}
	const few = t.services.length <= top + 1;
	const shown = few ? t.services : t.services.slice(0, top);
	const layers = shown.map((s) => layer(t, s.name, [s]));
	const rest = t.services.slice(shown.length);
	if (rest.length > 0)
		layers.push(layer(t, `${rest.length} more`, rest));
	return layers;
}

function layer(t: Timeline, name: string, services: Service[]): Layer {
	const values = t.times.map((_, i) =>
		t.covered[i] ? services.reduce((n, s) => n + s.values[i], 0) : null);
	return { name, values, sum: services.reduce((n, s) => n + s.sum, 0) };
}

/** Sums from the last layer up, so that layer 0 is the upper edge of the whole stack. */
export function stackLayers(layers: Layer[]): (number | null)[][] {
	const out: (number | null)[][] = new Array(layers.length);
	for (let l = layers.length - 1; l >= 0; l--) {
		const below = out[l + 1];
		out[l] = layers[l].values.map((v, i) => (v === null ? null : v + (below?.[i] ?? 0)));
	}
	return out;
}

/**
 * The agent sends batches, so the newest buckets are not complete while live.
 * Returns how many buckets to show; the others would look like a drop.
 */
export function completeBuckets(t: Timeline, now: number, delaySeconds: number): number {
	let count = t.times.length;
	while (count > 1 && t.times[count - 1] > now / 1000 - delaySeconds)
		count--;
	const firstData = t.covered.indexOf(1);
	return firstData >= 0 && count - firstData < 3 ? t.times.length : count;
}
