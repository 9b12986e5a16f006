// All state of the page is in the URL, so that a link shows the same page and
// back and forward work.

import { DEFAULT_RANGE, rangeFormat, rangeParse, type Range } from './range.ts';
import { selectorFormat, selectorParse, type Matcher } from './selector.ts';
import type { SortKey } from './flame/table.ts';

export type View = 'table' | 'flame' | 'both';
export type ColorBy = 'package' | 'value';

export interface State {
	/** Whose profiles, of a server with tenants; empty: the one that the user is bound to, or the only one. */
	tenant: string;
	service: string;
	/** Empty: CPU, or the first type there is. */
	type: string;
	filters: Matcher[];
	range: Range;
	live: boolean;
	view: View;
	search: string;
	/** Key of the focused block (graphKeyText), or empty. */
	focus: string;
	/** Function of the sandwich view, or empty. */
	sandwich: string;
	color: ColorBy;
	alignEnd: boolean;
	sort: SortKey;
	descending: boolean;
	maxNodes: number;
}

export const DEFAULT_NODES = 16384;
const MOST_NODES = 1048576;

export const DEFAULT_STATE: State = {
	tenant: '', service: '', type: '', filters: [], range: DEFAULT_RANGE, live: true, view: 'both', search: '',
	focus: '', sandwich: '', color: 'package', alignEnd: false, sort: 'self', descending: true,
	maxNodes: DEFAULT_NODES,
};

function oneOf<T extends string>(text: string | null, values: T[], fallback: T): T {
	return values.includes(text as T) ? text as T : fallback;
}

function parseFilters(text: string | null): Matcher[] {
	const parsed = text ? selectorParse(text) : [];
	return typeof parsed === 'string' ? [] : parsed;
}

function parseNodes(text: string | null): number {
	const n = Number(text ?? DEFAULT_NODES);
	return Number.isInteger(n) && n >= 1 && n <= MOST_NODES ? n : DEFAULT_NODES;
}

/** What may stand in a header; anything else is no tenant's name. */
export function urlTenant(search: string): string {
	const name = new URLSearchParams(search).get('tenant') ?? '';
	return /^[\x21-\x7e]{1,150}$/.test(name) ? name : '';
}

/** Never fails: what makes no sense is as if it were not there. */
export function urlParse(search: string): State {
	const q = new URLSearchParams(search);
	const sort = oneOf(q.get('sort')?.replace(/^-/, '') ?? null, ['self', 'total', 'name'], 'self');
	return {
		tenant: urlTenant(search),
		service: q.get('service') ?? '',
		type: q.get('type') ?? '',
		filters: parseFilters(q.get('filter')),
		range: rangeParse(q.get('from'), q.get('until')),
		live: q.get('live') !== 'off',
		view: oneOf(q.get('view'), ['table', 'flame', 'both'], 'both'),
		search: q.get('search') ?? '',
		focus: q.get('focus') ?? '',
		sandwich: q.get('sandwich') ?? '',
		color: oneOf(q.get('color'), ['package', 'value'], 'package'),
		alignEnd: q.get('align') === 'end',
		sort,
		descending: q.has('sort') ? q.get('sort')!.startsWith('-') : true,
		maxNodes: parseNodes(q.get('maxNodes')),
	};
}

/** Only what differs from the default is written. */
export function urlFormat(s: State): string {
	const q = new URLSearchParams();
	const put = (name: string, value: string, usual = '') => {
		if (value !== usual)
			q.set(name, value);
	};
	const [from, until] = rangeFormat(s.range);
	put('tenant', s.tenant);
	put('service', s.service);
	put('type', s.type);
	put('filter', s.filters.length > 0 ? selectorFormat(s.filters) : '');
	put('from', from, 'now-15m');
	put('until', until, 'now');
	put('live', s.live ? '' : 'off');
	put('view', s.view, 'both');
	put('search', s.search);
	put('focus', s.focus);
	put('sandwich', s.sandwich);
	put('color', s.color, 'package');
	put('align', s.alignEnd ? 'end' : '');
	put('sort', (s.descending ? '-' : '') + s.sort, '-self');
	put('maxNodes', String(s.maxNodes), String(DEFAULT_NODES));
	const text = q.toString();
	return text ? `?${text}` : '';
}
