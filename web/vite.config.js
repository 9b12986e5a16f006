import { defineConfig } from 'vite';

// The result is committed and compared byte by byte (check-dist.sh), so nothing
// in here may depend on the time, the machine or the folder it runs in.
export default defineConfig({
	base: './',
	oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
	build: {
		target: 'es2022',
		assetsInlineLimit: 0,
		modulePreload: false,
		cssCodeSplit: false,
		sourcemap: false,
		reportCompressedSize: false,
	},
});
