// A dashboard's JSON as a scene.
import {
  DataSourceVariable, EmbeddedScene, QueryVariable, SceneDataLayerControls, SceneDataLayerSet, SceneDataTransformer, SceneGridItem,
  SceneGridLayout, SceneGridRow, SceneQueryRunner, SceneTimePicker, SceneTimeRange, SceneVariableSet, SceneControlsSpacer,
  VariableValueSelectors, VizPanel, CustomVariable, TextBoxVariable, ConstantVariable, IntervalVariable, dataLayers, sceneGraph,
} from '@grafana/scenes';
import {uid} from './prometheus.js';

function variableOf(variable) {
  const {name, label, hide, includeAll, multi, allValue, query, regex, sort} = variable;
  const common = {name, label, hide: hide ?? 0, skipUrlSync: true};
  const choice = {isMulti: multi ?? false, includeAll: includeAll ?? false, allValue, value: includeAll ? ['$__all'] : '', text: includeAll ? ['All'] : ''};
  switch (variable.type) {
    case 'datasource': return new DataSourceVariable({...common, pluginId: query, value: uid, text: 'Prometheus'});
    case 'query':
      return new QueryVariable({...common, ...choice, datasource: variable.datasource, query: query.query ?? query, regex, sort, refresh: 2});
    case 'custom': return new CustomVariable({...common, ...choice, query});
    case 'interval': return new IntervalVariable({...common, query});
    case 'textbox': return new TextBoxVariable({...common, value: query});
    case 'constant': return new ConstantVariable({...common, value: query});
    default: throw new Error(`variable ${name} is of type ${variable.type}, which is not known here`);
  }
}

function panelOf(panel) {
  if (panel.repeat) throw new Error(`panel ${panel.title} repeats itself, which is not known here`);
  const queries = new SceneQueryRunner({
    datasource: panel.datasource, queries: panel.targets ?? [], maxDataPoints: panel.maxDataPoints ?? undefined, minInterval: panel.interval ?? undefined,
    dataLayerFilter: {panelId: panel.id},
  });
  return new VizPanel({
    key: `panel-${panel.id}`, title: panel.title, description: panel.description, pluginId: panel.type, pluginVersion: panel.pluginVersion,
    options: panel.options ?? {}, fieldConfig: {defaults: {}, overrides: [], ...panel.fieldConfig}, displayMode: panel.transparent ? 'transparent' : 'default',
    $data: new SceneDataTransformer({$data: queries, transformations: panel.transformations ?? []}),
  });
}

const place = (panel, y) => ({x: panel.gridPos.x, y, width: panel.gridPos.w, height: panel.gridPos.h});

// Rows that are folded are unfolded: what is in them is to be seen as well.
function itemsOf(dashboard) {
  const items = [];
  let moved = 0;
  for (const panel of dashboard.panels) {
    const y = panel.gridPos.y + moved;
    if (panel.type !== 'row') {
      items.push(new SceneGridItem({...place(panel, y), body: panelOf(panel)}));
      continue;
    }
    items.push(new SceneGridRow({title: panel.title, x: 0, y, height: 1, children: []}));
    if (!panel.collapsed) continue;
    for (const inner of panel.panels ?? []) {
      items.push(new SceneGridItem({...place(inner, inner.gridPos.y + moved), body: panelOf(inner)}));
    }
    moved += Math.max(0, ...(panel.panels ?? []).map(({gridPos}) => gridPos.y + gridPos.h - panel.gridPos.y - 1));
  }
  return items;
}

const layerOf = (annotation) => new dataLayers.AnnotationsDataLayer(
    {name: annotation.name, isEnabled: annotation.enable, isHidden: annotation.hide ?? false, query: annotation});

export function sceneOf(dashboard, range) {
  const annotations = (dashboard.annotations?.list ?? []).filter((each) => !each.builtIn && each.datasource?.uid !== '-- Grafana --');
  return new EmbeddedScene({
    $timeRange: new SceneTimeRange({from: range.from ?? dashboard.time.from, to: range.to ?? dashboard.time.to, timeZone: 'utc'}),
    $variables: new SceneVariableSet({variables: (dashboard.templating?.list ?? []).map(variableOf)}),
    $data: new SceneDataLayerSet({name: annotations.map(({name}) => name).join(', '), layers: annotations.map(layerOf)}),
    controls: [new VariableValueSelectors({}), new SceneDataLayerControls(), new SceneControlsSpacer(), new SceneTimePicker({isOnCanvas: true})],
    body: new SceneGridLayout({children: itemsOf(dashboard), isLazy: false, isDraggable: false, isResizable: false}),
  });
}

// Whether something is drawn in the panel, be it only "No data".
function isDrawn(panel) {
  const content = document.querySelector(`[data-viz-panel-key="${panel.state.key}"] [data-testid="data-testid panel content"]`);
  return content !== null && (content.innerText.trim() !== '' || content.querySelector('canvas, svg') !== null);
}

// How the panels and variables stand: what is not yet there, what is wrong, what has no data.
export function stateOf(scene) {
  const state = {loading: [], faults: [], annotations: 0, panels: 0};
  for (const variable of sceneGraph.getVariables(scene).state.variables) {
    if (variable.state.loading) state.loading.push(variable.state.name);
    if (variable.state.error) state.faults.push(`variable ${variable.state.name}: ${variable.state.error}`);
    if (variable.state.options?.length === 0 && variable.state.type === 'query') state.faults.push(`variable ${variable.state.name} has no values`);
  }
  for (const panel of sceneGraph.findAllObjects(scene, (object) => object instanceof VizPanel)) {
    const {title, _pluginLoadError} = panel.state;
    const {data} = sceneGraph.getData(panel).state;
    state.panels += 1;
    if (_pluginLoadError) state.faults.push(`panel ${title}: ${_pluginLoadError}`);
    if (!data || data.state === 'Loading' || data.state === 'NotStarted') { state.loading.push(title); continue; }
    if (!_pluginLoadError && !isDrawn(panel)) state.loading.push(title);
    if (data.state === 'Error') state.faults.push(`panel ${title}: ${data.errors?.map(({message}) => message).join('; ')}`);
    else if (data.series.every((frame) => frame.length === 0) && !panel.state.fieldConfig.defaults.noValue) state.faults.push(`panel ${title}: No data`);
  }
  const layers = sceneGraph.getDataLayers(scene, true).flatMap((set) => set.state.layers ?? [set]);
  for (const layer of layers) {
    const data = layer.state.data;
    if (layer.state.isEnabled && !data) state.loading.push(`annotations ${layer.state.name}`);
    if (data?.state === 'Error') state.faults.push(`annotations ${layer.state.name}: ${data.errors?.[0]?.message}`);
    state.annotations += (data?.series ?? []).concat(data?.annotations ?? []).reduce((sum, frame) => sum + frame.length, 0);
  }
  return state;
}
