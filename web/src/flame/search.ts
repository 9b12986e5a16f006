// Search in function names.
//
// The text is a list of terms with commas between; a name matches when any term
// does. A term is plain text (case does not matter), or a regular expression
// when it is a valid one; in double quotes it is the whole name, exactly.

import { graphNodes, graphTotal, type Graph } from './graph.ts';

export interface Matches {
	/** 1 for each name that matches. */
	names: Uint8Array;
	functions: number;
	blocks: number;
	/** Sum over stacks with a match, each counted once. */
	value: number;
	share: number;
}

type Test = (name: string, lower: string) => boolean;

export function searchQuote(name: string): string {
	return `"${name.replace(/\\/g, '\\\\').replace(/"/g, '\\"')}"`;
}

/** Splits at commas that are outside double quotes. */
export function searchTerms(text: string): string[] {
	const terms = text.match(/"(?:\\.|[^"\\])*"|[^,"]+|"/g) ?? [];
	return terms.map((t) => t.trim()).filter((t) => t.length > 0);
}

function termTest(term: string): Test {
	if (term.length >= 2 && term.startsWith('"') && term.endsWith('"')) {
		const exact = term.slice(1, -1).replace(/\\(.)/g, '$1');
		return (name) => name === exact;
	}
	const lower = term.toLowerCase();
	const pattern = /[\\^$.*+?()[\]{}|]/.test(term) ? compile(term) : undefined;
	return (name, low) => low.includes(lower) || (pattern !== undefined && pattern.test(name));
}

function compile(term: string): RegExp | undefined {
	try {
		return new RegExp(term, 'i');
	} catch {
		return undefined;
	}
}

/** undefined when there is nothing to search for. */
export function searchGraph(g: Graph, text: string): Matches | undefined {
	const tests = searchTerms(text).map(termTest);
	if (tests.length === 0)
		return undefined;
	const names = new Uint8Array(g.names.length);
	g.names.forEach((name, i) => {
		const lower = name.toLowerCase();
		names[i] = tests.some((t) => t(name, lower)) ? 1 : 0;
	});
	return sumMatches(g, names);
}

/** Walks level by level; covered[n] tells that n or an ancestor matches. */
function sumMatches(g: Graph, names: Uint8Array): Matches {
	const covered = new Uint8Array(graphNodes(g));
	const seen = new Uint8Array(names.length);
	const found: Matches = { names, functions: 0, blocks: 0, value: 0, share: 0 };
	for (let n = 0; n < covered.length; n++) {
		const above = g.parent[n] >= 0 && covered[g.parent[n]] === 1;
		const hit = names[g.name[n]] === 1;
		covered[n] = above || hit ? 1 : 0;
		if (!hit)
			continue;
		found.blocks++;
		found.functions += 1 - seen[g.name[n]];
		seen[g.name[n]] = 1;
		if (!above)
			found.value += g.total[n];
	}
	found.share = graphTotal(g) > 0 ? found.value / graphTotal(g) : 0;
	return found;
}
