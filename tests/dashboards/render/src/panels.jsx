// The types of panels that the dashboards have, made of what Grafana's libraries have.
import {
  FieldType, PanelPlugin, cacheFieldDisplayNames, getDisplayValueAlignmentFactors, getFieldDisplayValues, identityOverrideProcessor,
} from '@grafana/data';
import {sceneUtils} from '@grafana/scenes';
import {BarGauge, BigValue, TimeSeries, VizRepeater, useTheme2} from '@grafana/ui';
import {TableNG} from '@grafana/ui/unstable';
import {useMemo} from 'react';
import {Heatmap} from './heatmap.jsx';
import {StateTimeline, marksOf} from './timeline.jsx';

const legendDefaults = {showLegend: true, displayMode: 'list', placement: 'bottom', calcs: []};

// What is no number is a gap, as in Grafana's panel: a quantile of nothing, for one.
const withGaps = (frame) => ({...frame, fields: frame.fields.map((field) => field.type !== FieldType.number ? field :
    {...field, values: field.values.map((value) => Number.isFinite(value) ? value : null)})});

function TimeSeriesPanel({data, width, height, options, timeRange, timeZone}) {
  const theme = useTheme2();
  const frames = useMemo(() => data.series.map(withGaps), [data.series]);
  const marks = (data.annotations ?? []).flatMap(marksOf);
  // A plot takes hooks as it is made: anew when the annotations come.
  return (
    <TimeSeries key={marks.length} frames={frames} structureRev={data.structureRev} timeRange={timeRange} timeZone={timeZone} width={width}
                height={height} legend={{...legendDefaults, ...options.legend}} options={options}>
      {(builder) => {
        builder.addHook('draw', (plot) => drawMarks(plot, marks, theme));
        return null;
      }}
    </TimeSeries>
  );
}

function drawMarks(plot, marks, theme) {
  const {ctx, bbox} = plot;
  ctx.save();
  ctx.lineWidth = 2;
  ctx.setLineDash([4, 4]);
  for (const {time, color} of marks) {
    const x = Math.round(plot.valToPos(time, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = theme.visualization.getColorByName(color);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

// What a panel of single values shows.
const valuesOf = (props, theme, sparkline) => getFieldDisplayValues({
  fieldConfig: props.fieldConfig, reduceOptions: {calcs: ['lastNotNull'], values: false, ...props.options.reduceOptions},
  replaceVariables: props.replaceVariables, theme, data: props.data.series, sparkline, timeZone: props.timeZone,
});

function StatPanel(props) {
  const theme = useTheme2();
  const {options} = props;
  return (
    <VizRepeater getValues={() => valuesOf(props, theme, options.graphMode !== 'none')} width={props.width} height={props.height}
                 getAlignmentFactors={getDisplayValueAlignmentFactors} source={props.data} renderCounter={props.renderCounter}
                 itemSpacing={3} autoGrid orientation={options.orientation ?? 'auto'}
                 renderValue={({value, width, height, count, alignmentFactors}) => (
                   <BigValue value={value.display} count={count} sparkline={value.sparkline} colorMode={options.colorMode ?? 'value'}
                             graphMode={options.graphMode ?? 'area'} justifyMode={options.justifyMode ?? 'auto'}
                             textMode={options.textMode ?? 'auto'} wideLayout={options.wideLayout ?? true} text={options.text}
                             alignmentFactors={alignmentFactors} width={width} height={height} theme={theme} />
                 )} />
  );
}

function BarGaugePanel(props) {
  const theme = useTheme2();
  const {options} = props;
  return (
    <VizRepeater getValues={() => valuesOf(props, theme, false)} width={props.width} height={props.height} source={props.data}
                 getAlignmentFactors={getDisplayValueAlignmentFactors} renderCounter={props.renderCounter} itemSpacing={8}
                 orientation={options.orientation ?? 'horizontal'} minVizWidth={options.minVizWidth ?? 8}
                 minVizHeight={options.minVizHeight ?? 16} maxVizHeight={options.maxVizHeight ?? 300}
                 renderValue={({value, width, height, orientation, alignmentFactors}) => (
                   <BarGauge value={value.display} field={value.field} display={value.view?.getFieldDisplayProcessor(value.colIndex)}
                             displayMode={options.displayMode ?? 'gradient'} showUnfilled={options.showUnfilled ?? true}
                             valueDisplayMode={options.valueMode} namePlacement={options.namePlacement} text={options.text}
                             orientation={orientation} width={width} height={height} theme={theme} alignmentFactors={alignmentFactors}
                             itemSpacing={8} lcdCellWidth={12} />
                 )} />
  );
}

function TablePanel({data, width, height, options, fieldConfig, timeRange, replaceVariables}) {
  cacheFieldDisplayNames(data.series);
  const frame = data.series[options.frameIndex ?? 0] ?? data.series[0];
  return (
    <TableNG data={frame} width={width} height={height} noHeader={options.showHeader === false} sortBy={options.sortBy} structureRev={1}
             cellHeight={options.cellHeight ?? 'sm'} timeRange={timeRange} fieldConfig={fieldConfig} resizable
             enablePagination={options.enablePagination ?? options.footer?.enablePagination} replaceVariables={replaceVariables} />
  );
}

// Options of fields that a type of panel has besides the standard ones, with their defaults.
const lines = {
  drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, lineStyle: undefined, fillOpacity: 0, gradientMode: 'none', spanNulls: false,
  showPoints: 'auto', pointSize: 5, showValues: false, stacking: {mode: 'none', group: 'A'}, barAlignment: 0, barWidthFactor: 0.6,
  barMaxWidth: undefined, axisPlacement: 'auto', axisLabel: '', axisWidth: undefined, axisColorMode: 'text', axisBorderShow: false,
  axisGridShow: undefined, axisSoftMin: undefined, axisSoftMax: undefined, axisCenteredZero: false, scaleDistribution: {type: 'linear'},
  thresholdsStyle: {mode: 'off'}, hideFrom: {legend: false, tooltip: false, viz: false}, lineColor: undefined, fillColor: undefined,
  fillBelowTo: undefined, transform: undefined, insertNulls: false,
};
const cells = {
  align: 'auto', cellOptions: {type: 'auto'}, width: undefined, minWidth: undefined, filterable: undefined, inspect: false, hidden: undefined,
  hideFrom: {viz: false}, wrapText: undefined, wrapHeaderText: undefined, footer: undefined,
};
const bars = {lineWidth: 0, fillOpacity: 70, spanNulls: false, insertNulls: false, hideFrom: {legend: false, tooltip: false, viz: false}};

// As Grafana says it, in place of a panel that has nothing to show.
const orNoData = (Component) => (props) => props.data.series.some((frame) => frame.length > 0) ? <Component {...props} /> :
    <div style={{height: '100%', display: 'grid', placeItems: 'center'}}>{props.fieldConfig.defaults.noValue ?? 'No data'}</div>;

function plugin(component, custom) {
  return new PanelPlugin(orNoData(component)).setDataSupport({annotations: true, alertStates: false}).useFieldConfig({
    useCustomConfig: (builder) => {
      for (const [path, defaultValue] of Object.entries(custom)) {
        builder.addCustomEditor({id: path, path, name: path, editor: () => null, override: () => null, defaultValue,
                                 process: identityOverrideProcessor, shouldApply: () => true});
      }
    },
  });
}

export function registerPanels() {
  const types = {
    timeseries: [TimeSeriesPanel, lines], stat: [StatPanel, {}], bargauge: [BarGaugePanel, {}], table: [TablePanel, cells],
    'state-timeline': [StateTimeline, bars], heatmap: [Heatmap, {scaleDistribution: undefined, hideFrom: undefined}],
  };
  for (const [id, [component, custom]] of Object.entries(types)) {
    sceneUtils.registerRuntimePanelPlugin({pluginId: id, plugin: plugin(component, custom)});
  }
}
