// Label selectors: {name="value", other=~"regex"}.

export type Op = '=' | '!=' | '=~' | '!~';
export const OPS: Op[] = ['=', '!=', '=~', '!~'];

export interface Matcher {
	name: string;
	op: Op;
	value: string;
}

const BARE_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

function quote(text: string): string {
	const body = text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
	return `"${body}"`;
}

function unquote(text: string): string {
	const plain: Record<string, string> = { n: '\n', t: '\t', r: '\r' };
	return text.slice(1, -1).replace(/\\(.)/gs, (_, c: string) => plain[c] ?? c);
}

export function matcherFormat(m: Matcher): string {
	return `${BARE_NAME.test(m.name) ? m.name : quote(m.name)}${m.op}${quote(m.value)}`;
}

export function selectorFormat(matchers: Matcher[]): string {
	return `{${matchers.map(matcherFormat).join(',')}}`;
}

const MATCHER = /\s*("(?:\\.|[^"\\])+"|[a-zA-Z_][a-zA-Z0-9_.]*)\s*(=~|!~|!=|=)\s*("(?:\\.|[^"\\])*")\s*/sy;

/** The matchers, or a sentence that says where the text stops being a selector. */
export function selectorParse(text: string): Matcher[] | string {
	const trimmed = text.trim();
	const body = trimmed.startsWith('{') && trimmed.endsWith('}') ? trimmed.slice(1, -1) : trimmed;
	const matchers: Matcher[] = [];
	for (let at = 0; body.slice(at).trim() !== '';) {
		MATCHER.lastIndex = at;
		const m = MATCHER.exec(body);
		if (!m)
			return `not a label selector from “${body.slice(at, at + 24).trim()}” on; write name="value"`;
		matchers.push({ name: m[1].startsWith('"') ? unquote(m[1]) : m[1], op: m[2] as Op, value: unquote(m[3]) });
		at = MATCHER.lastIndex;
		if (body[at] === ',')
			at++;
		else if (at < body.length)
			return `expected a comma before “${body.slice(at, at + 24).trim()}”`;
	}
	return matchers;
}

/** The selector of a query: the filters, and the service unless all are meant. */
export function selectorQuery(filters: Matcher[], service: string): string {
	const own: Matcher[] = service ? [{ name: 'service_name', op: '=', value: service }] : [];
	return selectorFormat([...own, ...filters]);
}
