// Numbers and times for people.

export type Unit = 'ns' | 'bytes' | 'count';

/** The unit of a profile type's values, from its sample unit. */
export function unitOf(sampleUnit: string): Unit {
	if (sampleUnit === 'nanoseconds')
		return 'ns';
	return sampleUnit === 'bytes' ? 'bytes' : 'count';
}

/** Three significant digits, and no exponent. */
function digits(value: number): string {
	const size = Math.abs(value);
	return value.toFixed(size >= 100 || size === 0 ? 0 : size >= 10 ? 1 : 2);
}

function scaled(value: number, steps: [number, string][]): string {
	if (value === 0)
		return '0';
	const size = Math.abs(value);
	const step = steps.find(([limit]) => size >= limit * 0.9995) ?? steps[steps.length - 1];
	return `${digits(value / step[0])} ${step[1]}`.trimEnd();
}

const TIMES: [number, string][] = [
	[86400e9, 'd'], [3600e9, 'h'], [60e9, 'min'], [1e9, 's'], [1e6, 'ms'], [1e3, 'µs'], [1, 'ns'],
];
const BYTES: [number, string][] = [
	[2 ** 40, 'TiB'], [2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB'], [1, 'B'],
];
const COUNTS: [number, string][] = [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k'], [1, '']];

export function formatValue(value: number, unit: Unit): string {
	return scaled(value, unit === 'ns' ? TIMES : unit === 'bytes' ? BYTES : COUNTS);
}

/** A rate per second: cores for CPU time, else units per second. */
export function formatRate(perSecond: number, unit: Unit, cpu: boolean): string {
	if (unit !== 'ns')
		return `${formatValue(perSecond, unit)}/s`;
	const rate = perSecond / 1e9;
	return `${formatSmall(rate)} ${cpu ? (rate === 1 ? 'core' : 'cores') : 's/s'}`;
}

export function formatSmall(value: number): string {
	if (value !== 0 && Math.abs(value) < 0.0005)
		return '<0.001';
	return value !== 0 && Math.abs(value) < 0.1 ? value.toFixed(3) : digits(value);
}

export function formatShare(share: number): string {
	const percent = share * 100;
	if (percent === 0)
		return '0 %';
	if (percent < 0.005)
		return '<0.01 %';
	return `${percent.toFixed(percent >= 99.995 ? 0 : percent >= 10 ? 1 : 2)} %`;
}

/** Names come from programs we do not know: control and direction marks are made visible. */
export function displayName(name: string, limit = 600): string {
	if (name.trim() === '')
		return '(no name)';
	const cut = name.length > limit ? `${name.slice(0, limit)}…` : name;
	return cut.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, '\ufffd');
}

const CLOCK: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false };

export function formatClock(ms: number): string {
	return new Date(ms).toLocaleTimeString('en-GB', CLOCK);
}

/** "22 Nov 14:03:10 – 14:18:10"; the day is repeated only when it changes. */
export function formatRange(from: number, to: number): string {
	const day = (ms: number) => new Date(ms).toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
	const end = day(from) === day(to) ? formatClock(to) : `${day(to)} ${formatClock(to)}`;
	return `${day(from)} ${formatClock(from)} – ${end}`;
}

export function formatDuration(seconds: number): string {
	const parts: [number, string][] = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
	let rest = Math.max(0, Math.round(seconds));
	const out: string[] = [];
	for (const [size, name] of parts) {
		const n = Math.floor(rest / size);
		rest -= n * size;
		if (n > 0)
			out.push(`${n} ${name}`);
	}
	return out.slice(0, 2).join(' ') || '0 s';
}
