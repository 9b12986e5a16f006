// Label filters: a chip for each, a small builder, and the selector as text.

import { useEffect, useState } from 'preact/hooks';
import { apiLabelNames, apiLabelValues } from './api.ts';
import { displayName } from './format.ts';
import { Icon } from './icons.tsx';
import { Popover } from './Popover.tsx';
import type { Window } from './range.ts';
import { matcherFormat, OPS, selectorFormat, selectorParse, selectorQuery, type Matcher, type Op } from './selector.ts';

export interface FiltersProps {
	filters: Matcher[];
	service: string;
	window: Window;
	onFilters(filters: Matcher[]): void;
}

export function Filters(p: FiltersProps) {
	const [open, setOpen] = useState(false);
	const remove = (i: number) => p.onFilters(p.filters.filter((_, n) => n !== i));
	return (
		<div class="filters" role="group" aria-label="Label filters">
			{p.filters.map((m, i) => (
				<span class="chip" key={matcherFormat(m)}>
					<span class="chip-text" title={matcherFormat(m)}>
						{displayName(m.name, 60)}<b>{m.op}</b>{displayName(m.value, 80)}</span>
					<button type="button" class="plain" aria-label={`Remove filter ${matcherFormat(m)}`}
						onClick={() => remove(i)}><Icon name="close" /></button>
				</span>
			))}
			<Popover open={open} onToggle={setOpen} title="Filter by label"
				label={<><Icon name="filter" />{p.filters.length ? '' : 'Filter'}</>}>
				<Builder {...p} onFilters={(f) => { setOpen(false); p.onFilters(f); }} />
				<Raw {...p} onFilters={(f) => { setOpen(false); p.onFilters(f); }} />
			</Popover>
		</div>
	);
}

/** Fetched when the panel opens and when the label changes; a failure is shown as text. */
function useNames(fetchNames: () => Promise<string[]>, keys: unknown[]): [string[], string] {
	const [names, setNames] = useState<string[]>([]);
	const [error, setError] = useState('');
	useEffect(() => {
		let gone = false;
		setNames([]);
		setError('');
		fetchNames().then((n) => { if (!gone) setNames(n); },
			(e: Error) => { if (!gone) setError(e.message); });
		return () => { gone = true; };
	}, keys);
	return [names, error];
}

function Builder(p: FiltersProps) {
	const selector = selectorQuery(p.filters, p.service);
	const [all, error] = useNames(() => apiLabelNames(selector, p.window), [selector]);
	const names = all.filter((n) => !n.startsWith('__') && n !== 'service_name');
	const [picked, setPicked] = useState('');
	const name = picked || names[0] || '';
	const [op, setOp] = useState<Op>('=');
	const [value, setValue] = useState('');
	const [values] = useNames(() => (name ? apiLabelValues(name, selector, p.window) : Promise.resolve([])), [name, selector]);
	return (
		<form class="builder" onSubmit={(e) => {
			e.preventDefault();
			if (name)
				p.onFilters([...p.filters, { name, op, value }]);
		}}>
			<label>Label
				<select data-first value={name} onChange={(e) => { setPicked(e.currentTarget.value); setValue(''); }}>
					{names.map((n) => <option key={n} value={n}>{displayName(n, 80)}</option>)}
				</select>
			</label>
			<label>Operator
				<select value={op} onChange={(e) => setOp(e.currentTarget.value as Op)}>
					{OPS.map((o) => <option key={o} value={o}>{o}</option>)}
				</select>
			</label>
			<label>Value
				<input list="label-values" value={value} autocomplete="off" onInput={(e) => setValue(e.currentTarget.value)} />
				<datalist id="label-values">{values.slice(0, 500).map((v) => <option key={v} value={v} />)}</datalist>
			</label>
			<button type="submit" class="button strong" disabled={!name}>Add</button>
			{error ? <p class="bad" role="alert">{error}</p> : null}
		</form>
	);
}

function Raw(p: FiltersProps) {
	const [text, setText] = useState(p.filters.length ? selectorFormat(p.filters) : '');
	const parsed = selectorParse(text);
	const bad = typeof parsed === 'string' ? parsed : '';
	return (
		<form class="raw" onSubmit={(e) => {
			e.preventDefault();
			if (typeof parsed !== 'string')
				p.onFilters(parsed);
		}}>
			<label>Selector
				<input class="mono" spellcheck={false} placeholder={'{thread_name=~"worker.*"}'} value={text}
					aria-invalid={bad !== ''} onInput={(e) => setText(e.currentTarget.value)} />
			</label>
			<button type="submit" class="button" disabled={bad !== ''}>Apply</button>
			{bad ? <p class="bad" role="alert">{bad}</p> : null}
		</form>
	);
}
