import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import { App } from './App.tsx';
import { themeApply } from './theme.ts';

themeApply();
render(<App />, document.getElementById('app')!);
