// The time range: presets, or two instants.

import { useState } from 'preact/hooks';
import { formatRange } from './format.ts';
import { Icon } from './icons.tsx';
import { Popover } from './Popover.tsx';
import { PRESETS, rangeLabel, type Range, type Window } from './range.ts';

/** For <input type="datetime-local">: local time without a zone. */
function localText(ms: number): string {
	const shifted = new Date(ms - new Date(ms).getTimezoneOffset() * 60000);
	return shifted.toISOString().slice(0, 19);
}

export function RangePicker({ range, window, onRange }:
	{ range: Range; window: Window; onRange(range: Range): void }) {
	const [open, setOpen] = useState(false);
	const label = range.last > 0 ? rangeLabel(range) : formatRange(range.from, range.to);
	const pick = (r: Range) => {
		setOpen(false);
		onRange(r);
	};
	return (
		<Popover open={open} onToggle={setOpen} title="Time range"
			label={<><Icon name="clock" /><span class="range-text">{label}</span><Icon name="down" /></>}>
			<div class="presets">
				{PRESETS.map((p) => (
					<button key={p.last} type="button" class="item" aria-current={p.last === range.last ? 'true' : undefined}
						onClick={() => pick({ last: p.last, from: 0, to: 0 })}>{p.label}</button>
				))}
			</div>
			<Custom window={window} onRange={pick} />
		</Popover>
	);
}

function Custom({ window, onRange }: { window: Window; onRange(range: Range): void }) {
	const [from, setFrom] = useState(localText(window.start));
	const [to, setTo] = useState(localText(window.end));
	const a = new Date(from).getTime();
	const b = new Date(to).getTime();
	const valid = a < b;
	return (
		<form class="custom" onSubmit={(e) => {
			e.preventDefault();
			if (valid)
				onRange({ last: 0, from: a, to: b });
		}}>
			<label>From<input type="datetime-local" step="1" value={from} onInput={(e) => setFrom(e.currentTarget.value)} /></label>
			<label>To<input type="datetime-local" step="1" value={to} onInput={(e) => setTo(e.currentTarget.value)} /></label>
			<button type="submit" class="button strong" disabled={!valid}>Apply</button>
			{valid ? null : <p class="bad" role="alert">“From” has to be before “To”.</p>}
		</form>
	);
}
