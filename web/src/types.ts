// Profile types: name:sample_type:sample_unit:period_type:period_unit, and what people call them.

import type { ProfileType } from './api.ts';
import { unitOf, type Unit } from './format.ts';

export const CPU_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

const NAMES: Record<string, string> = {
	'process_cpu:cpu': 'CPU',
	'process_cpu:samples': 'CPU samples',
	'off_cpu:off_cpu': 'Off-CPU time',
	'wall:wall': 'Wall clock',
	'memory:inuse_space': 'Memory in use',
	'memory:inuse_objects': 'Objects in use',
	'memory:alloc_space': 'Memory allocated',
	'memory:alloc_objects': 'Objects allocated',
	'goroutine:goroutine': 'Goroutines',
	'goroutines:goroutine': 'Goroutines',
	'mutex:delay': 'Mutex delay',
	'mutex:contentions': 'Mutex contentions',
	'block:delay': 'Block delay',
	'block:contentions': 'Block contentions',
};

export interface TypeInfo {
	id: string;
	name: string;
	unit: Unit;
	/** Its values are time on a CPU, so value per time is cores. */
	cpu: boolean;
}

export function typeInfo(id: string): TypeInfo {
	const [name = '', sample = '', unit = ''] = id.split(':');
	return {
		id,
		name: NAMES[`${name}:${sample}`] ?? (name === sample || !name || !sample ? sample || id : `${name}: ${sample}`),
		unit: unitOf(unit),
		cpu: sample === 'cpu' && unit === 'nanoseconds',
	};
}

/** CPU first, then by name; the type in use is there even when the server does not list it. */
export function typeList(types: ProfileType[], current: string): TypeInfo[] {
	const ids = new Set([...types.map((t) => t.ID), current]);
	const rank = (t: TypeInfo) => (t.id === CPU_TYPE ? 0 : 1);
	return [...ids].map(typeInfo).sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}
