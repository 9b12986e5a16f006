// Time ranges: relative ("now-15m" to "now") or two instants in ms.

export interface Range {
	/** Seconds back from now; 0 for an absolute range. */
	last: number;
	from: number;
	to: number;
}

export const PRESETS: { last: number; label: string; text: string }[] = [
	{ last: 300, label: 'Last 5 minutes', text: '5m' },
	{ last: 900, label: 'Last 15 minutes', text: '15m' },
	{ last: 1800, label: 'Last 30 minutes', text: '30m' },
	{ last: 3600, label: 'Last 1 hour', text: '1h' },
	{ last: 10800, label: 'Last 3 hours', text: '3h' },
	{ last: 21600, label: 'Last 6 hours', text: '6h' },
	{ last: 43200, label: 'Last 12 hours', text: '12h' },
	{ last: 86400, label: 'Last 24 hours', text: '24h' },
];

export const DEFAULT_RANGE: Range = { last: 900, from: 0, to: 0 };

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400 };
const MAX_LAST = 366 * 86400;

/** Seconds of "15m", or 0 when it is none. */
function parseLast(text: string): number {
	const m = /^(?:now-)?(\d{1,8})([smhd])$/.exec(text);
	const seconds = m ? Number(m[1]) * UNITS[m[2]] : 0;
	return seconds <= MAX_LAST ? seconds : 0;
}

function parseInstant(text: string): number {
	return /^\d{1,15}$/.test(text) ? Number(text) : NaN;
}

/** What the URL says, or the default when it says nothing that makes sense. */
export function rangeParse(from: string | null, until: string | null): Range {
	const last = from && (!until || until === 'now') ? parseLast(from) : 0;
	if (last > 0)
		return { last, from: 0, to: 0 };
	const a = parseInstant(from ?? '');
	const b = parseInstant(until ?? '');
	return a < b ? { last: 0, from: a, to: b } : DEFAULT_RANGE;
}

export function rangeFormat(range: Range): [string, string] {
	if (range.last === 0)
		return [String(range.from), String(range.to)];
	const unit = ['d', 'h', 'm', 's'].find((u) => range.last % UNITS[u] === 0 && range.last > UNITS[u]) ?? 's';
	const preset = PRESETS.find((p) => p.last === range.last);
	return [`now-${preset?.text ?? range.last / UNITS[unit] + unit}`, 'now'];
}

export function rangeLabel(range: Range): string {
	const preset = PRESETS.find((p) => p.last === range.last);
	return preset?.label ?? `Last ${rangeFormat(range)[0].slice(4)}`;
}

const STEPS = [1, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400];
const MAX_POINTS = 240;

/** Seconds per point of the timeline; the agent sends every 5 s, so less is asked only when zoomed in. */
export function rangeStep(seconds: number): number {
	const least = seconds >= 120 ? 5 : 1;
	return STEPS.find((s) => s >= least && s >= seconds / MAX_POINTS) ?? STEPS[STEPS.length - 1];
}

export interface Window {
	start: number;
	end: number;
	/** Seconds. */
	step: number;
}

/**
 * The instants to ask for, in ms: whole steps, so that the sum of the timeline's
 * buckets is the flame graph's total.
 */
export function rangeWindow(range: Range, now: number): Window {
	const to = range.last > 0 ? now : range.to;
	const from = range.last > 0 ? now - range.last * 1000 : range.from;
	const step = rangeStep((to - from) / 1000);
	const end = Math.ceil(to / 1000 / step) * step * 1000;
	const start = range.last > 0 ? end - Math.ceil(range.last / step) * step * 1000
		: Math.floor(from / 1000 / step) * step * 1000;
	return { start, end, step };
}
