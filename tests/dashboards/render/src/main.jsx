// Shows the dashboard that the server has at /dashboard.json?name=…, with ?scheme=light|dark&from=…&to=… as it is asked for.
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import {ThemeContext} from '@grafana/data';
import {LocationServiceProvider, locationService} from '@grafana/runtime';
import {GlobalStyles, PortalContainer} from '@grafana/ui';
import {createRoot} from 'react-dom/client';
import {Router} from 'react-router-dom';
import {registerPanels} from './panels.jsx';
import {setUp, prometheus} from './runtime.jsx';
import {sceneOf, stateOf} from './scene.js';

const asked = new URLSearchParams(window.location.search);
const dashboard = await (await fetch(`/dashboard.json?name=${encodeURIComponent(asked.get('name'))}`)).json();
const theme = await setUp(asked.get('scheme') ?? 'light');
registerPanels();
const scene = sceneOf(dashboard, {from: asked.get('from') ?? undefined, to: asked.get('to') ?? undefined});
const rows = Math.max(...scene.state.body.state.children.map(({state}) => state.y + state.height));

// For render.mjs.
window.stateOf = () => stateOf(scene);
window.asked = prometheus.asked;
window.heightOf = () => rows * 38 + 130;

createRoot(document.getElementById('root')).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <LocationServiceProvider service={locationService}>
      <Router navigator={locationService.getHistory()} location={locationService.getLocation()}>
        <div style={{background: theme.colors.background.canvas, minHeight: '100vh', padding: '8px 16px', boxSizing: 'border-box',
                     display: 'flex', flexDirection: 'column'}}>
          <h1 style={{fontSize: 22, margin: '4px 0 10px'}}>{dashboard.title}</h1>
          <scene.Component model={scene} />
        </div>
        <PortalContainer />
      </Router>
    </LocationServiceProvider>
  </ThemeContext.Provider>);
