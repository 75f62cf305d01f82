// What Grafana's libraries want of the application around them, as little of it as they can do with.
import {
  EventBusSrv, createTheme, displayNameOverrideProcessor, identityOverrideProcessor,
  dataLinksOverrideProcessor, numberOverrideProcessor, standardEditorsRegistry, standardFieldConfigEditorRegistry,
  standardTransformers, standardTransformersRegistry, thresholdsOverrideProcessor, unitOverrideProcessor,
  valueMappingsOverrideProcessor,
} from '@grafana/data';
import {initPluginTranslations} from '@grafana/i18n';
import {
  config, setAppEvents, setBackendSrv, setDataSourceSrv, setEchoSrv, setPluginImportUtils, setRunRequest, setTemplateSrv,
} from '@grafana/runtime';
import {catchError, from, isObservable, map, of} from 'rxjs';
import {Prometheus, uid} from './prometheus.js';

export const prometheus = new Prometheus(
    {uid, name: 'Prometheus', type: 'prometheus', id: 1, jsonData: {}, meta: {id: 'prometheus'}});

// The options every panel's fields have.
const standardOptions = [
  ['displayName', displayNameOverrideProcessor], ['unit', unitOverrideProcessor], ['min', numberOverrideProcessor],
  ['max', numberOverrideProcessor], ['decimals', numberOverrideProcessor], ['fieldMinMax', identityOverrideProcessor],
  ['color', identityOverrideProcessor], ['noValue', identityOverrideProcessor], ['links', dataLinksOverrideProcessor],
  ['mappings', valueMappingsOverrideProcessor], ['thresholds', thresholdsOverrideProcessor],
  ['filterable', identityOverrideProcessor],
];

const option = ([path, process]) => ({
  id: path, path, name: path, description: '', editor: () => null, override: () => null, settings: {}, process,
  shouldApply: () => true, getItemsCount: () => 0,
});

const runRequest = (source, request) => {
  const answer = source.query(request);
  return (isObservable(answer) ? answer : from(answer)).pipe(
      map(({data}) => ({state: 'Done', series: data, annotations: [], timeRange: request.range, request})),
      catchError((error) => of({state: 'Error', series: [], annotations: [], timeRange: request.range, request,
                                errors: [{message: String(error)}], error: {message: String(error)}})));
};

const sourceOf = {
  get: async () => prometheus,
  getList: () => [prometheus.settings],
  getInstanceSettings: () => prometheus.settings,
  reload: () => {},
};

export async function setUp(scheme) {
  await initPluginTranslations('grafana', []);
  config.theme2 = createTheme({colors: {mode: scheme}});
  config.bootData = {user: {lightTheme: scheme === 'light', timezone: 'utc'}, settings: {}, navTree: []};
  config.featureToggles = {};
  prometheus.settings = {uid, name: 'Prometheus', type: 'prometheus', isDefault: true, jsonData: {}, meta: prometheus.meta};
  setAppEvents(new EventBusSrv());
  setDataSourceSrv(sourceOf);
  setBackendSrv({get: async () => ({}), fetch: () => of({data: {}}), datasourceRequest: async () => ({data: {}})});
  setEchoSrv({flush: () => {}, addBackend: () => {}, addEvent: () => {}});
  setTemplateSrv({replace: (text) => text ?? '', getVariables: () => [], containsTemplate: () => false, updateTimeRange: () => {}});
  setPluginImportUtils({
    importPanelPlugin: async (id) => { throw new Error(`no panel of type ${id} here`); },
    getPanelPluginFromCache: () => undefined,
  });
  setRunRequest(runRequest);
  standardEditorsRegistry.setInit(() => []);
  standardFieldConfigEditorRegistry.setInit(() => standardOptions.map(option));
  // Some go by two names.
  const transformers = new Map(Object.values(standardTransformers).map((each) => [each.id, each]));
  standardTransformersRegistry.setInit(() => [...transformers].map(([id, transformation]) => (
      {id, name: transformation.name, editor: () => null, transformation: async () => transformation})));
  return config.theme2;
}
