// What a dashboard's file may hold: Grafana's own types of dashboards and of each panel's options, in the words of JSON.
import type {
  AnnotationQuery, Dashboard, FieldConfig, GraphFieldConfig, HideableFieldConfig, Panel, RowPanel, TableFieldOptions,
} from '@grafana/schema';
import type {Options as BarGauge} from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type {FieldConfig as HeatmapField, Options as Heatmap} from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type {Options as Stat} from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type {FieldConfig as TimelineField, Options as Timeline} from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type {Options as Table} from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type {Options as TimeSeries} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// JSON has no enums, only what they stand for.
type Json<T> = T extends string ? `${T}`
  : T extends readonly (infer U)[] ? Json<U>[]
  : T extends object ? {[K in keyof T]: Json<T[K]>}
  : T;

// Grafana publishes no types of what its Prometheus plugin reads.
interface Query {
  datasource: {type: 'prometheus'; uid: '${datasource}'};
  editorMode: 'code';
  expr: string;
  format: 'time_series' | 'table' | 'heatmap';
  instant: boolean;
  interval?: string;
  legendFormat: string;
  range: boolean;
  refId: string;
}

interface PrometheusAnnotation extends Omit<AnnotationQuery, 'target'> {
  expr?: string;
  step?: string;
  tagKeys?: string;
  target?: {expr: string; interval: string; refId: string};
  textFormat?: string;
  titleFormat?: string;
  useValueForTime?: boolean;
}

interface PanelOf<Type, Options, Field> extends Json<Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'>> {
  type: Type;
  options: Json<Options>;
  fieldConfig: {
    defaults: Json<Omit<FieldConfig, 'custom'>> & {custom?: Json<Field>};
    overrides: {matcher: {id: 'byName' | 'byFrameRefID' | 'byRegexp'; options: string}; properties: {id: string; value: unknown}[]}[];
  };
  targets: Query[];
}

type AnyPanel = Json<RowPanel>
  | PanelOf<'bargauge', BarGauge, never>
  | PanelOf<'heatmap', Heatmap, HeatmapField>
  | PanelOf<'stat', Stat, never>
  | PanelOf<'state-timeline', Timeline, TimelineField>
  | PanelOf<'table', Table, TableFieldOptions & HideableFieldConfig>
  | PanelOf<'timeseries', TimeSeries, GraphFieldConfig>;

export interface Board extends Json<Omit<Dashboard, 'annotations' | 'panels'>> {
  annotations: {list: Json<PrometheusAnnotation>[]};
  panels: AnyPanel[];
}
