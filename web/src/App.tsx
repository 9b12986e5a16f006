// The page: header, services, timeline, profile.

import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { copyText } from './copy.ts';
import { useProfile, type Profile, type Snapshot } from './data.ts';
import { Filters } from './Filters.tsx';
import { FlamePanel } from './FlamePanel.tsx';
import { displayName, formatDuration, formatRange, formatRate, formatShare, formatValue } from './format.ts';
import { Icon, Logo } from './icons.tsx';
import { Menu, type MenuState } from './Popover.tsx';
import { DEFAULT_RANGE, rangeWindow } from './range.ts';
import { RangePicker } from './RangePicker.tsx';
import { completeBuckets, timelineCoveredSeconds, timelineLayers, type Layer } from './series.ts';
import { Services } from './Services.tsx';
import { useTheme, type Theme } from './theme.ts';
import { Timeline } from './Timeline.tsx';
import { CPU_TYPE, typeInfo, typeList, type TypeInfo } from './types.ts';
import { DEFAULT_STATE, urlFormat, urlParse, type State } from './url.ts';

const TOP_SERVICES = 9;
/** Batches of 5 s, and the way to the disk. */
const LIVE_DELAY_SECONDS = 8;
const NARROW_PX = 900;

const LAYER_COLORS: Record<Theme, string[]> = {
	dark: ['#f0a35e', '#6fb3e0', '#8fc98a', '#c79be0', '#e6d072', '#68c7bd', '#e58d8d', '#9aa7f0', '#c9b18a', '#6b7484'],
	light: ['#e08a3c', '#4a97cf', '#67ad62', '#a975c9', '#d0b23a', '#3fa99e', '#d56c6c', '#7383dd', '#a98f62', '#a4adba'],
};

/** The URL is the state: changes are written to it, and back and forward read it. */
function useUrlState(): [State, (patch: Partial<State>, replace?: boolean) => void] {
	const [state, setState] = useState(() => urlParse(location.search));
	const now = useRef(state);
	useEffect(() => {
		const read = () => setState(now.current = urlParse(location.search));
		addEventListener('popstate', read);
		return () => removeEventListener('popstate', read);
	}, []);
	const change = useCallback((patch: Partial<State>, replace = false) => {
		now.current = { ...now.current, ...patch };
		const url = location.pathname + urlFormat(now.current);
		if (url !== location.pathname + location.search)
			history[replace ? 'replaceState' : 'pushState'](null, '', url);
		setState(now.current);
	}, []);
	return [state, change];
}

/** A word at the foot of the page, gone after a while. */
function useToast(): [string, (text: string) => void] {
	const [toast, setToast] = useState('');
	useEffect(() => {
		const timer = toast ? setTimeout(() => setToast(''), 3000) : undefined;
		return () => clearTimeout(timer);
	}, [toast]);
	return [toast, setToast];
}

export function App() {
	const [state, change] = useUrlState();
	const [theme, toggleTheme] = useTheme();
	const [menu, setMenu] = useState<MenuState | null>(null);
	const [side, setSide] = useState(innerWidth >= NARROW_PX);
	const [said, say] = useState('');
	const [toast, setToast] = useToast();
	const profile = useProfile(state, state.live);
	const snap = profile.snapshot;
	const type = typeInfo(snap?.type || state.type || CPU_TYPE);
	const copy = async (text: string, what: string) => setToast(await copyText(text) ? `${what} copied` : 'This browser does not let the page copy');
	const pick = (service: string) => {
		change({ service, focus: '', sandwich: '' });
		if (innerWidth < NARROW_PX)
			setSide(false);
	};
	useShortcuts();
	useEffect(() => { document.title = `${state.service || 'All services'} · ${type.name} · Cresset`; }, [state.service, type.name]);
	const layers = useLayers(snap, state.service, theme);
	const seconds = snap ? timelineCoveredSeconds(snap.timeline) : 0;
	return (
		<div class={`page ${side ? 'with-side' : ''}`} data-phase={profile.stale ? 'loading' : profile.phase}>
			<Header {...{ state, change, theme, toggleTheme, profile, type, side }} onSide={() => setSide(!side)}
				onLink={() => copy(absoluteLink(state, snap), 'Link')} />
			{side ? <Services timeline={snap?.timeline} seconds={seconds} type={type} current={state.service}
				colors={layers.byService} onPick={pick} /> : null}
			<main>
				<h1 class="sr">Cresset: {type.name} of {state.service || 'all services'}</h1>
				{profile.error ? <ErrorBar profile={profile} /> : null}
				{snap && snap.timeline.services.length > 0
					? <TimelinePanel {...{ state, change, snap, type, theme, layers, seconds }} /> : null}
				<Body {...{ state, change, profile, type, seconds, theme, say, copy }} openMenu={setMenu} />
			</main>
			{menu ? <Menu menu={menu} onClose={() => setMenu(null)} /> : null}
			<div class="sr" role="status" aria-live="polite" id="said">{said}</div>
			<div class={`toast ${toast ? 'on' : ''}`} role="status">{toast}</div>
		</div>
	);
}

type Change = (patch: Partial<State>, replace?: boolean) => void;

/** A link for somebody else shows the same time, whenever it is opened. */
function absoluteLink(state: State, snap: Snapshot | undefined): string {
	const range = snap ? { last: 0, from: Math.round(snap.window.start), to: Math.round(snap.window.end) } : state.range;
	return location.origin + location.pathname + urlFormat({ ...state, range }); // not .href, which may hold a password
}

function useShortcuts(): void {
	useEffect(() => {
		const onKey = (e: KeyboardEvent) => {
			const typing = e.target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName);
			if (e.key !== '/' || typing || e.ctrlKey || e.metaKey)
				return;
			e.preventDefault();
			document.getElementById('search')?.focus();
		};
		addEventListener('keydown', onKey);
		return () => removeEventListener('keydown', onKey);
	}, []);
}

interface Layers {
	layers: Layer[];
	colors: string[];
	byService: Map<string, string>;
	times: number[];
}

/** A service keeps its colour while it is among the top ones, whatever its rank. */
function useColorIndex(snap: Snapshot | undefined): Map<string, number> {
	const held = useRef(new Map<string, number>());
	return useMemo(() => {
		const top = (snap?.timeline.services ?? []).slice(0, TOP_SERVICES).map((s) => s.name);
		const kept = new Map([...held.current].filter(([name]) => top.includes(name)));
		const free = Array.from({ length: TOP_SERVICES }, (_, i) => i).filter((i) => ![...kept.values()].includes(i));
		for (const name of top)
			if (!kept.has(name))
				kept.set(name, free.shift()!);
		return held.current = kept;
	}, [snap]);
}

function useLayers(snap: Snapshot | undefined, service: string, theme: Theme): Layers {
	const index = useColorIndex(snap);
	return useMemo(() => {
		const palette = LAYER_COLORS[theme];
		const byService = new Map([...index].map(([name, i]) => [name, palette[i]]));
		if (!snap)
			return { layers: [], colors: [], byService, times: [] };
		const all = timelineLayers(snap.timeline, service, TOP_SERVICES);
		const colors = all.map((l) => byService.get(l.name) ?? palette[service ? 0 : TOP_SERVICES]);
		const count = completeBuckets(snap.timeline, snap.now, LIVE_DELAY_SECONDS);
		const layers = all.map((l) => ({ ...l, values: l.values.slice(0, count) }));
		return { layers, colors, byService, times: snap.timeline.times.slice(0, count) };
	}, [snap, service, theme]);
}

interface HeaderProps {
	state: State;
	change: Change;
	theme: Theme;
	toggleTheme(): void;
	profile: Profile;
	type: TypeInfo;
	side: boolean;
	onSide(): void;
	onLink(): void;
}

function Header(p: HeaderProps) {
	const { state, change, profile } = p;
	const window = profile.snapshot?.window ?? rangeWindow(state.range, Date.now());
	const wanted = state.type || p.type.id;
	return (
		<header>
			<button type="button" class="button square" title="Services" aria-label="Services" aria-expanded={p.side} onClick={p.onSide}><Icon name="menu" /></button>
			<a class="brand" href={location.pathname} onClick={(e) => {
				e.preventDefault();
				change({ ...DEFAULT_STATE, tenant: state.tenant });
			}}><Logo />Cresset</a>
			<span class="where" title={state.service || 'All services'}>{state.service ? displayName(state.service, 120) : 'All services'}</span>
			<select class="button" aria-label="Profile type" value={wanted} title={wanted}
				onChange={(e) => change({ type: e.currentTarget.value, focus: '', sandwich: '' })}>
				{typeList(profile.snapshot?.types ?? [], wanted).map((t) => <option key={t.id} value={t.id} title={t.id}>{t.name}</option>)}
			</select>
			<Filters filters={state.filters} service={state.service} window={window} onFilters={(filters) => change({ filters })} />
			<span class="push" />
			<RangePicker range={state.range} window={window} onRange={(range) => change({ range })} />
			<LiveButtons {...p} />
			<button type="button" class="button square" title="Copy a link to exactly this" aria-label="Copy link" onClick={p.onLink}><Icon name="link" /></button>
			<button type="button" class="button square" title="Switch theme" aria-label={p.theme === 'dark' ? 'Switch to light theme' : 'Switch to dark theme'}
				onClick={p.toggleTheme}><Icon name={p.theme === 'dark' ? 'sun' : 'moon'} /></button>
		</header>
	);
}

function LiveButtons({ state, change, profile }: HeaderProps) {
	const relative = state.range.last > 0;
	const on = relative && state.live;
	return (
		<div class="joined" role="group" aria-label="Refresh">
			<button type="button" class="button square" title="Refresh now" aria-label="Refresh" onClick={profile.refresh}>
				<span class={profile.busy ? 'turning' : ''}><Icon name="refresh" /></span></button>
			<button type="button" class={`button live ${on ? 'on' : ''}`} aria-pressed={on} disabled={!relative}
				title={relative ? 'Refresh every 5 seconds' : 'A fixed time range does not change'}
				onClick={() => change({ live: !state.live }, true)}><i />Live</button>
		</div>
	);
}

function ErrorBar({ profile }: { profile: Profile }) {
	const e = profile.error!;
	return (
		<div class="error" role="alert">
			<b>{e.status > 0 ? `The server answered ${e.status}${e.code ? ` (${e.code})` : ''}` : 'No connection'}</b>
			<span>{e.message}{/X-Scope-OrgID/.test(e.message) ? ' (here: add ?tenant=NAME to the address)' : ''}</span>
			<button type="button" class="button small" onClick={profile.refresh}>Try again</button>
		</div>
	);
}

interface TimelinePanelProps {
	state: State;
	change: Change;
	snap: Snapshot;
	type: TypeInfo;
	theme: Theme;
	layers: Layers;
	seconds: number;
}

function TimelinePanel(p: TimelinePanelProps) {
	const { state, snap, type, layers, seconds } = p;
	const own = state.service ? snap.timeline.services.find((s) => s.name === state.service)?.sum ?? 0 : snap.timeline.sum;
	const absolute = state.range.last === 0;
	const before = useRef(DEFAULT_RANGE);
	if (!absolute)
		before.current = state.range;
	const reset = () => { if (absolute) p.change({ range: before.current }); };
	const part = state.service && snap.timeline.sum > 0 ? ` · ${formatShare(own / snap.timeline.sum)} of all services` : '';
	return (
		<section class="timeline" aria-label="Timeline">
			<div class="timeline-head">
				<h2>{type.name}</h2>
				<span class="big">{seconds > 0 ? formatRate(own / seconds, type.unit, type.cpu) : '–'}</span>
				<span class="dim">average over {formatDuration(seconds)} · {formatValue(own, type.unit)} in total{part}</span>
				<span class="push" />
				<span class="dim when">{formatRange(snap.window.start, snap.window.end)}</span>
				{absolute ? <button type="button" class="button small" onClick={reset}><Icon name="reset" />Reset range</button> : null}
			</div>
			<Timeline times={layers.times} step={snap.timeline.step} layers={layers.layers} colors={layers.colors}
				unit={type.unit} cpu={type.cpu} theme={p.theme}
				onRange={(from, to) => p.change({ range: { last: 0, from, to } })} onReset={reset} />
		</section>
	);
}

interface BodyProps {
	state: State;
	change: Change;
	profile: Profile;
	type: TypeInfo;
	seconds: number;
	theme: Theme;
	openMenu(menu: MenuState): void;
	say(text: string): void;
	copy(text: string, what: string): void;
}

function Body(p: BodyProps) {
	const { profile, state, change } = p;
	if (profile.phase === 'waiting')
		return (
			<div class="blank" role="status">
				<Logo />
				<h2>Waiting for the first samples</h2>
				<p>Nothing is stored yet. A running agent delivers its first samples within 10 s, and they show up here by themselves.</p>
				<p class="dim">Nothing comes? <code>cresset doctor</code> says what this host lacks.</p>
			</div>
		);
	if (profile.phase === 'empty')
		return (
			<div class="blank" role="status">
				<h2>No samples match</h2>
				<p>There is data on this server, but none for {state.service ? `“${displayName(state.service, 120)}”` : 'this question'}{state.filters.length ? ' with these filters' : ''} in this time range.</p>
				<p class="choices">
					<button type="button" class="button" onClick={() => change({ range: { last: 86400, from: 0, to: 0 } })}>Last 24 hours</button>
					{state.filters.length ? <button type="button" class="button" onClick={() => change({ filters: [] })}>Remove filters</button> : null}
					{state.service ? <button type="button" class="button" onClick={() => change({ service: '' })}>All services</button> : null}
				</p>
			</div>
		);
	if (!profile.snapshot || profile.snapshot.graph.x.length === 0)
		return <div class="blank" role="status">{profile.phase === 'error' ? null : <p class="dim">Loading…</p>}</div>;
	return <FlamePanel {...p} graph={profile.snapshot.graph} />;
}
