// The top table. Only the rows in view are in the document.

import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { graphTotal, type Graph } from './flame/graph.ts';
import { tableRows, tableSort, type Row, type SortKey } from './flame/table.ts';
import { displayName, formatShare } from './format.ts';
import { Icon } from './icons.tsx';

export interface TableProps {
	graph: Graph;
	hits: Uint8Array | undefined;
	sort: SortKey;
	descending: boolean;
	/** The function that is searched for exactly, or undefined. */
	marked: string | undefined;
	value(amount: number): string;
	onSort(key: SortKey, descending: boolean): void;
	/** undefined: no longer. */
	onSearch(name: string | undefined): void;
	onSandwich(name: string): void;
}

const ROW = 26;
const SPARE = 8;

export function TopTable(p: TableProps) {
	const all = useMemo(() => tableRows(p.graph), [p.graph]);
	const rows = useMemo(() => tableSort(p.graph, p.hits ? all.filter((r) => p.hits![r.name]) : all,
		p.sort, p.descending), [all, p.hits, p.sort, p.descending]);
	const most = useMemo(() => rows.reduce((m, r) => Math.max(m, r.self), 0), [rows]);
	const box = useRef<HTMLDivElement>(null);
	const [view, setView] = useState({ top: 0, height: 600 });
	useLayoutEffect(() => {
		const el = box.current!;
		const observer = new ResizeObserver(() => setView({ top: el.scrollTop, height: el.clientHeight }));
		observer.observe(el);
		return () => observer.disconnect();
	}, []);
	useLayoutEffect(() => { box.current!.scrollTop = 0; }, [p.sort, p.descending]);
	const from = Math.min(rows.length, Math.max(0, Math.floor(view.top / ROW) - SPARE));
	const to = Math.min(rows.length, Math.ceil((view.top + view.height) / ROW) + SPARE);
	return (
		<div class="table-box" ref={box} tabIndex={0} role="region" aria-label="Top table"
			onScroll={(e) => setView({ top: e.currentTarget.scrollTop, height: e.currentTarget.clientHeight })}>
			<table aria-rowcount={rows.length + 1}>
				<thead><tr aria-rowindex={1}>
					<Head p={p} name="name" text="Symbol" />
					<Head p={p} name="self" text="Self" />
					<Head p={p} name="total" text="Total" />
				</tr></thead>
				<tbody>
					{from > 0 ? <Gap height={from * ROW} /> : null}
					{rows.slice(from, to).map((r, i) => <Line key={r.name} p={p} row={r} most={most} index={from + i + 2} />)}
					{to < rows.length ? <Gap height={(rows.length - to) * ROW} /> : null}
				</tbody>
			</table>
			{rows.length === 0 ? <p class="none">{p.hits ? 'No function matches the search.' : 'No functions.'}</p> : null}
		</div>
	);
}

function Head({ p, name, text }: { p: TableProps; name: SortKey; text: string }) {
	const active = p.sort === name;
	const sort = active ? (p.descending ? 'descending' : 'ascending') : 'none';
	return (
		<th scope="col" class={name} aria-sort={sort}>
			<button type="button" class="plain" onClick={() => p.onSort(name, active ? !p.descending : name !== 'name')}>
				{text}<span class="arrow" aria-hidden="true">{active ? (p.descending ? '↓' : '↑') : ''}</span>
			</button>
		</th>
	);
}

function Gap({ height }: { height: number }) {
	return <tr class="gap" aria-hidden="true"><td colSpan={3} style={{ height: `${height}px` }} /></tr>;
}

function Line({ p, row, most, index }: { p: TableProps; row: Row; most: number; index: number }) {
	const name = p.graph.names[row.name];
	const text = displayName(name, 300);
	const all = graphTotal(p.graph) || 1;
	const marked = p.marked === name;
	return (
		<tr aria-rowindex={index} class={marked ? 'marked' : ''}>
			<td class="name">
				<button type="button" class="plain symbol" title={text} aria-pressed={marked}
					onClick={() => p.onSearch(marked ? undefined : name)}>{text}</button>
				<button type="button" class="plain act" title="Sandwich view" aria-label={`Sandwich view of ${text}`}
					onClick={() => p.onSandwich(name)}><Icon name="sandwich" /></button>
			</td>
			<Cell amount={row.self} bar={most > 0 ? row.self / most : 0} share={row.self / all} value={p.value} />
			<Cell amount={row.total} bar={row.total / all} share={row.total / all} value={p.value} />
		</tr>
	);
}

function Cell({ amount, bar, share, value }: { amount: number; bar: number; share: number; value(n: number): string }) {
	return (
		<td class="num">
			<span class="bar" style={{ width: `${bar * 100}%` }} />
			<span class="amount">{value(amount)}</span>
			<span class="share">{formatShare(share)}</span>
		</td>
	);
}
