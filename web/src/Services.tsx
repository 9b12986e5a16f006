// The services, each with its share over the range.

import { useMemo, useState } from 'preact/hooks';
import { displayName, formatRate, formatShare } from './format.ts';
import type { Timeline } from './series.ts';
import type { TypeInfo } from './types.ts';

export interface ServicesProps {
	timeline: Timeline | undefined;
	seconds: number;
	type: TypeInfo;
	current: string;
	colors: Map<string, string>;
	onPick(service: string): void;
}

const MOST_ROWS = 400;

export function Services(p: ServicesProps) {
	const [text, setText] = useState('');
	const [byName, setByName] = useState(false);
	const services = p.timeline?.services ?? [];
	const rows = useMemo(() => {
		const found = services.filter((s) => s.name.toLowerCase().includes(text.toLowerCase()));
		return byName ? found.sort((a, b) => (a.name < b.name ? -1 : 1)) : found;
	}, [services, text, byName]);
	const sum = p.timeline?.sum ?? 0;
	const rate = (n: number) => (p.seconds > 0 ? formatRate(n / p.seconds, p.type.unit, p.type.cpu).replace(/ (cores?|s\/s)$/, '') : '');
	return (
		<nav class="services" aria-label="Services">
			<div class="services-head">
				<input type="search" placeholder="Find service…" aria-label="Find service" value={text}
					onInput={(e) => setText(e.currentTarget.value)} />
				<div class="seg" role="group" aria-label="Sort services">
					<button type="button" aria-pressed={!byName} title="Most first" onClick={() => setByName(false)}>
						{p.type.cpu ? 'CPU' : 'Most'}</button>
					<button type="button" aria-pressed={byName} title="By name" onClick={() => setByName(true)}>A–Z</button>
				</div>
			</div>
			<div class="services-columns" aria-hidden="true"><span>Service</span><span>{p.type.cpu ? 'Cores' : 'Rate'}</span><span>Share</span></div>
			<ul>
				<Row name="" text="All services" amount={rate(sum)} share={1} p={p} />
				{p.current && !services.some((s) => s.name === p.current)
					? <Row name={p.current} text={displayName(p.current, 200)} amount="–" share={0} p={p} /> : null}
				{rows.slice(0, MOST_ROWS).map((s) => (
					<Row key={s.name} name={s.name} text={displayName(s.name, 200)} amount={rate(s.sum)}
						share={sum > 0 ? s.sum / sum : 0} p={p} />
				))}
			</ul>
			{rows.length > MOST_ROWS ? <p class="none">{rows.length - MOST_ROWS} more: type to find them.</p> : null}
			{text && rows.length === 0 ? <p class="none">No service has “{text}” in its name.</p> : null}
		</nav>
	);
}

function Row({ name, text, amount, share, p }:
	{ name: string; text: string; amount: string; share: number; p: ServicesProps }) {
	const color = p.colors.get(name);
	return (
		<li>
			<button type="button" class="service" aria-current={p.current === name ? 'true' : undefined}
				title={`${text}: ${amount}${p.type.cpu ? ' cores' : ''}, ${formatShare(share)}`} onClick={() => p.onPick(name)}>
				<span class="service-bar" style={{ width: name ? `${share * 100}%` : '0' }} />
				<i class={color ? 'dot' : 'dot off'} style={color ? { background: color } : {}} />
				<span class="service-name">{text}</span>
				<span class="service-rate">{amount}</span>
				<span class="service-share">{name ? formatShare(share) : ''}</span>
			</button>
		</li>
	);
}
