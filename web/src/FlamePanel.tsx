// Search, views and options around the top table and the flame graph.

import { useCallback, useMemo } from 'preact/hooks';
import { DARK, legendFill, LIGHT } from './flame/color.ts';
import { ROW_PX } from './flame/draw.ts';
import { graphFindKey, graphKeyText, graphLevelOf, graphLevels, graphPath, graphTotal, type Graph } from './flame/graph.ts';
import { sandwichCallees, sandwichCallers } from './flame/sandwich.ts';
import { searchGraph, searchQuote, searchTerms, type Matches } from './flame/search.ts';
import { FlameView, type FlameProps } from './FlameView.tsx';
import { displayName, formatRate, formatShare, formatValue } from './format.ts';
import { Icon, type IconName } from './icons.tsx';
import type { MenuState } from './Popover.tsx';
import { TopTable } from './TopTable.tsx';
import type { Theme } from './theme.ts';
import type { TypeInfo } from './types.ts';
import type { State, View } from './url.ts';

export interface PanelProps {
	graph: Graph;
	type: TypeInfo;
	/** Seconds that the graph's values cover, for averages. */
	seconds: number;
	state: State;
	theme: Theme;
	change(patch: Partial<State>, replace?: boolean): void;
	openMenu(menu: MenuState): void;
	say(text: string): void;
	copy(text: string, what: string): void;
}

const VIEWS: [View, string][] = [['table', 'Top Table'], ['flame', 'Flame Graph'], ['both', 'Both']];

export function FlamePanel(p: PanelProps) {
	const { graph, state } = p;
	const matches = useMemo(() => searchGraph(graph, state.search), [graph, state.search]);
	const focus = useMemo(() => Math.max(0, graphFindKey(graph, state.focus)), [graph, state.focus]);
	const value = useCallback((n: number) => formatValue(n, p.type.unit), [p.type.unit]);
	const lost = state.focus !== '' && focus === 0;
	return (
		<section class="panel-main" aria-label="Profile">
			<Tools {...p} matches={matches} focus={focus} />
			<div class={`views ${state.view}`}>
				{state.view !== 'flame' ? <Table {...p} matches={matches} value={value} /> : null}
				{state.view !== 'table'
					? <div class="graphs">
						<Crumbs {...p} focus={focus} lost={lost} value={value} />
						<Graphs {...p} matches={matches} focus={focus} value={value} />
					</div> : null}
			</div>
		</section>
	);
}

type Inner = PanelProps & { matches: Matches | undefined; focus: number; value(n: number): string };

function Tools(p: Omit<Inner, 'value'>) {
	const { state, change } = p;
	return (
		<div class="tools">
			<div class="search">
				<Icon name="search" />
				<input type="search" id="search" aria-label="Search functions" placeholder="Search functions…  ( / )" spellcheck={false}
					value={state.search} onInput={(e) => change({ search: e.currentTarget.value }, true)}
					onKeyDown={(e) => { if (e.key === 'Escape') change({ search: '' }, true); }} />
			</div>
			<span class="found" role="status" title={p.matches ? plural(p.matches.blocks, 'block') : ''}>{p.matches ? foundText(p.matches, p) : ''}</span>
			<span class="push" />
			<Legend {...p} />
			<div class="seg" role="group" aria-label="Colour">
				<button type="button" aria-pressed={state.color === 'package'} onClick={() => change({ color: 'package' }, true)}>By package</button>
				<button type="button" aria-pressed={state.color === 'value'} onClick={() => change({ color: 'value' }, true)}>By value</button>
			</div>
			<div class="seg" role="group" aria-label="Text of names that do not fit">
				<IconToggle icon="left" text="Show the start of long names" on={!state.alignEnd} run={() => change({ alignEnd: false }, true)} />
				<IconToggle icon="right" text="Show the end of long names" on={state.alignEnd} run={() => change({ alignEnd: true }, true)} />
			</div>
			<div class="seg" role="group" aria-label="View">
				{VIEWS.map(([view, text]) => (
					<button key={view} type="button" aria-pressed={state.view === view} onClick={() => change({ view })}>{text}</button>
				))}
			</div>
		</div>
	);
}

function IconToggle({ icon, text, on, run }: { icon: IconName; text: string; on: boolean; run(): void }) {
	return (
		<button type="button" class="square" title={text} aria-label={text} aria-pressed={on} onClick={run}><Icon name={icon} /></button>
	);
}

function Legend({ theme, state }: { theme: Theme; state: State }) {
	if (state.color !== 'package' || state.view === 'table')
		return null;
	const l = legendFill(theme === 'dark' ? DARK : LIGHT);
	return (
		<ul class="legend" aria-label="Colours">
			<li>{l.code.map((c) => <i key={c} style={{ background: c }} />)} code by package</li>
			<li><i style={{ background: l.kernel }} /> kernel</li>
			<li><i style={{ background: l.unnamed }} /> no symbol</li>
		</ul>
	);
}

function plural(n: number, one: string): string {
	return `${n.toLocaleString('en')} ${one}${n === 1 ? '' : 's'}`;
}

function foundText(m: Matches, p: PanelProps): string {
	if (m.functions === 0)
		return 'No match';
	return `${formatShare(m.share)} · ${formatValue(m.value, p.type.unit)} · ${plural(m.functions, 'function')}`;
}

/** The function that is searched for exactly, if the search is just that. */
function exactSearch(search: string): string | undefined {
	const terms = searchTerms(search);
	const quoted = terms.length === 1 && /^".*"$/s.test(terms[0]);
	return quoted ? terms[0].slice(1, -1).replace(/\\(.)/gs, '$1') : undefined;
}

function Table(p: Omit<Inner, 'focus'>) {
	const { state, change } = p;
	const marked = exactSearch(state.search);
	return (
		<TopTable graph={p.graph} hits={marked !== undefined ? undefined : p.matches?.names} marked={marked}
			sort={state.sort} descending={state.descending} value={p.value}
			onSort={(sort, descending) => change({ sort, descending }, true)}
			onSearch={(name) => change({ search: name === undefined ? '' : searchQuote(name) }, true)}
			onSandwich={(name) => change({ sandwich: name, view: state.view === 'table' ? 'both' : state.view })} />
	);
}

const MOST_CRUMBS = 4;

function Crumbs(p: Omit<Inner, 'matches'> & { lost: boolean }) {
	const { graph, state, change } = p;
	const total = graphTotal(graph);
	const path = p.focus > 0 ? graphPath(graph, p.focus).slice(1) : [];
	const shown = path.slice(-MOST_CRUMBS);
	return (
		<div class="crumbs">
			<button type="button" class="crumb" disabled={p.focus === 0 && !state.sandwich && !p.lost} title="Show everything"
				onClick={() => change({ focus: '', sandwich: '' })}>
				{p.value(total)}{p.type.unit === 'ns' && p.seconds > 0 ? ` · ${formatRate(total / p.seconds, 'ns', p.type.cpu)}` : ''}
			</button>
			{state.sandwich ? <span class="crumb here"><Icon name="sandwich" />{displayName(state.sandwich, 120)}
				<button type="button" class="plain" aria-label="Leave sandwich view" onClick={() => change({ sandwich: '' })}><Icon name="close" /></button></span> : null}
			{!state.sandwich && path.length > shown.length ? <span class="crumb-gap">… {path.length - shown.length} more</span> : null}
			{!state.sandwich ? shown.map((n) => <Crumb key={n} p={p} node={n} />) : null}
			{p.lost && !state.sandwich ? <span class="note">The focused block is not in this range.</span> : null}
			{p.focus > 0 || state.sandwich || p.lost
				? <button type="button" class="button small" onClick={() => change({ focus: '', sandwich: '' })}><Icon name="reset" />Reset</button> : null}
		</div>
	);
}

function Crumb({ p, node }: { p: Omit<Inner, 'matches'>; node: number }) {
	const text = displayName(p.graph.names[p.graph.name[node]], 200);
	const here = node === p.focus;
	return (
		<button type="button" class={`crumb ${here ? 'here' : ''}`} title={text} aria-current={here ? 'true' : undefined}
			onClick={() => p.change({ focus: graphKeyText(p.graph, node) })}><span>{text}</span></button>
	);
}

function Graphs(p: Inner) {
	const { graph, state, change } = p;
	const name = state.sandwich ? graph.names.indexOf(state.sandwich) : -1;
	const sides = useMemo(() => (name >= 0 ? [sandwichCallers(graph, name), sandwichCallees(graph, name)] : undefined), [graph, name]);
	const common = {
		theme: p.theme, color: state.color, alignEnd: state.alignEnd, base: graph, hits: p.matches?.names, value: p.value,
		tip: (g: Graph, n: number, f: number) => <Tip g={g} node={n} focus={f} all={graphTotal(graph)} p={p} />,
		say: (g: Graph, n: number) => p.say(sayNode(g, n, p)),
		onMenu: (g: Graph, n: number, x: number, y: number) => p.openMenu({ title: displayName(g.names[g.name[n]], 120), x, y, items: menuItems(p, g, n) }),
	};
	if (state.sandwich && !sides)
		return <p class="none">“{displayName(state.sandwich, 200)}” has no samples in this range.</p>;
	if (sides)
		return <Sandwich sides={sides} common={common} p={p} />;
	return (
		<FlameView {...common} graph={graph} label="Flame graph" focus={p.focus}
			onFocus={(n) => change({ focus: n > 0 ? graphKeyText(graph, n) : '' })} />
	);
}

type Common = Omit<FlameProps, 'graph' | 'label' | 'focus' | 'flip' | 'onFocus'>;

/** A click on another function goes to that function's sandwich. */
function Sandwich({ sides, common, p }: { sides: Graph[]; common: Common; p: Inner }) {
	const go = (g: Graph) => (n: number) => { if (n > 0) p.change({ sandwich: g.names[g.name[n]] }); };
	return (
		<div class="sandwich" style={{ gridTemplateRows: `max(72px, min(50%, ${graphLevels(sides[0]) * ROW_PX + 6}px)) minmax(0, 1fr)` }}>
			<div class="side"><h2>Callers</h2><FlameView {...common} graph={sides[0]} label="Callers" flip focus={0} onFocus={go(sides[0])} /></div>
			<div class="side"><h2>Callees</h2><FlameView {...common} graph={sides[1]} label="Callees" focus={0} onFocus={go(sides[1])} /></div>
		</div>
	);
}

function menuItems(p: Inner, g: Graph, node: number): MenuState['items'] {
	const name = g.names[g.name[node]];
	const items: MenuState['items'] = [
		{ icon: 'copy', text: 'Copy function name', run: () => p.copy(name, 'Function name') },
		{ icon: 'sandwich', text: 'Sandwich view', run: () => p.change({ sandwich: name }) },
		{ icon: 'search', text: 'Highlight this function', run: () => p.change({ search: searchQuote(name) }, true) },
	];
	if (g === p.graph)
		items.unshift({ icon: 'focus', text: 'Focus block', run: () => p.change({ focus: node > 0 ? graphKeyText(g, node) : '' }) });
	if (p.focus > 0 || p.state.sandwich)
		items.push({ icon: 'reset', text: 'Reset', run: () => p.change({ focus: '', sandwich: '' }) });
	return node === 0 && g === p.graph ? items.filter((i) => i.text !== 'Sandwich view' && !i.text.startsWith('Highlight')) : items;
}

function sayNode(g: Graph, n: number, p: PanelProps): string {
	const share = g.total[n] / (graphTotal(p.graph) || 1);
	return `${displayName(g.names[g.name[n]], 200)}, ${formatValue(g.total[n], p.type.unit)}, ${formatShare(share)} of total, level ${graphLevelOf(g, n) + 1}`;
}

function Tip({ g, node, focus, all, p }: { g: Graph; node: number; focus: number; all: number; p: Inner }) {
	const unit = p.type.unit;
	const line = (text: string, amount: number) => (
		<tr><th>{text}</th><td>{formatValue(amount, unit)}</td><td>{formatShare(amount / (all || 1))}</td>
			<td>{p.seconds > 0 ? formatRate(amount / p.seconds, unit, p.type.cpu) : ''}</td></tr>
	);
	return (
		<>
			<div class="tip-name">{displayName(g.names[g.name[node]])}</div>
			<table><tbody>
				{line('Total', g.total[node])}
				{line('Self', g.self[node])}
				{focus > 0 ? <tr><th>Of focus</th><td colSpan={3}>{formatShare(Math.min(1, g.total[node] / (g.total[focus] || 1)))}</td></tr> : null}
			</tbody></table>
			<div class="tip-hint">Click to focus · right-click for more</div>
		</>
	);
}
