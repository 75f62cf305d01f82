// A data source that does of Grafana's Prometheus one what dashboards need of it: range and instant queries as series,
// tables and heatmaps, label_values() for variables, and annotations.
import {DataSourceApi, FieldType, dateTime, rangeUtil} from '@grafana/data';
import {sceneGraph} from '@grafana/scenes';
import {from, of} from 'rxjs';

export const uid = 'prometheus';
const scrapeInterval = 120;  // seconds, as on the newest day of the scripted week

const seconds = (time) => time.valueOf() / 1000;
const escape = (text) => String(text).replace(/\\/g, '\\\\').replace(/[$^*{}[\]'+?.()|]/g, '\\\\$&');

// How a variable's values go into a query.
function format(value, variable) {
  if (!variable?.multi && !variable?.includeAll) return String(value).replace(/\\/g, '\\\\').replace(/"/g, '\\"');
  const values = (Array.isArray(value) ? value : [value]).map(escape);
  return values.length === 1 ? values[0] : `(${values.join('|')})`;
}

// Grafana's rule: no step finer than asked for, none finer than the points there is room for, at most 11,000 points.
function stepOf(request, target) {
  const range = seconds(request.range.to) - seconds(request.range.from);
  const least = target.interval ? rangeUtil.intervalToSeconds(target.interval) : scrapeInterval;
  return Math.max(least, request.intervalMs / 1000, Math.ceil(range / 11000)) * (target.intervalFactor ?? 1);
}

function legendOf(target, labels) {
  const {__name__: name, ...others} = labels;
  const pairs = Object.entries(others).map(([label, value]) => `${label}="${value}"`);
  if (!target.legendFormat || target.legendFormat === '__auto') return pairs.length ? `{${pairs.join(', ')}}` : undefined;
  return target.legendFormat.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? '');
}

const numberOf = (text) => text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);

function seriesOf(target, result, from, to, step) {
  return result.map(({metric, values, value}) => {
    const samples = new Map((values ?? [value]).map(([time, text]) => [time, numberOf(text)]));
    const times = [];
    if (values) for (let time = from; time <= to; time += step) times.push(time);
    else times.push(value[0]);
    const {__name__, ...labels} = metric;
    return {
      refId: target.refId,
      meta: {type: 'timeseries-multi', custom: {resultType: values ? 'matrix' : 'vector'}},
      fields: [
        {name: 'Time', type: FieldType.time, config: {interval: step * 1000}, values: times.map((time) => time * 1000)},
        {name: 'Value', type: FieldType.number, labels, config: {displayNameFromDS: legendOf(target, metric)},
         values: times.map((time) => samples.get(time) ?? null)},
      ],
      length: times.length,
    };
  });
}

function tableOf(target, result, several) {
  const rows = result.flatMap(({metric, values, value}) => (values ?? [value]).map(([time, text]) => ({metric, time, text})));
  const names = [...new Set(result.flatMap(({metric}) => Object.keys(metric)))].sort();
  return {
    refId: target.refId,
    fields: [
      {name: 'Time', type: FieldType.time, config: {}, values: rows.map((row) => row.time * 1000)},
      ...names.map((name) => ({name, type: FieldType.string, config: {filterable: true},
                               values: rows.map((row) => row.metric[name] ?? '')})),
      {name: several ? `Value #${target.refId}` : 'Value', type: FieldType.number, config: {},
       values: rows.map((row) => numberOf(row.text))},
    ],
    length: rows.length,
  };
}

// One frame with a field a bucket, each less what the one below it counts.
function heatmapOf(target, frames) {
  const bound = (frame) => numberOf(frame.fields[1].labels.le);
  const sorted = [...frames].sort((a, b) => bound(a) - bound(b));
  const fields = sorted.map((frame, i) => ({
    name: frame.fields[1].labels.le, type: FieldType.number, labels: frame.fields[1].labels, config: {},
    values: frame.fields[1].values.map((value, at) =>
        value === null ? null : Math.max(0, value - (i > 0 ? sorted[i - 1].fields[1].values[at] ?? 0 : 0))),
  }));
  return {refId: target.refId, meta: {type: 'heatmap-rows'}, fields: [frames[0].fields[0], ...fields],
          length: frames[0].length};
}

export class Prometheus extends DataSourceApi {
  interval = `${scrapeInterval}s`;
  meta = {id: 'prometheus', name: 'Prometheus', type: 'datasource', info: {}, annotations: true};
  // What every query asked and how it went.
  asked = [];

  async get(path, parameters) {
    const answer = await fetch(`/prometheus/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const body = await answer.json();
    if (body.status !== 'success') throw new Error(`${body.error}: ${parameters.query ?? path}`);
    return body.data;
  }

  interpolate(text, request, step) {
    const range = seconds(request.range.to) - seconds(request.range.from);
    const of = (value) => ({text: String(value), value: String(value)});
    const rate = Math.max(step + scrapeInterval, 4 * scrapeInterval);
    const scoped = {
      ...request.scopedVars,
      __interval: of(`${step}s`), __interval_ms: of(step * 1000), __rate_interval: of(`${rate}s`),
      __rate_interval_ms: of(rate * 1000), __range: of(`${Math.round(range)}s`), __range_s: of(Math.round(range)),
      __range_ms: of(Math.round(range * 1000)),
    };
    return sceneGraph.interpolate(request.scopedVars.__sceneObject.value.valueOf(), text, scoped, format);
  }

  query(request) {
    const targets = request.targets.filter((target) => !target.hide && target.expr);
    const tables = targets.filter((target) => target.format === 'table').length;
    return from(Promise.all(targets.map((target) => this.ask(request, target, tables > 1)))
        .then((data) => ({data: data.flat()})));
  }

  async ask(request, target, several) {
    const step = stepOf(request, target);
    const query = this.interpolate(target.expr, request, step);
    const instant = target.instant && !target.range;
    // Aligned, so that pictures of the same time are the same.
    const from = Math.floor(seconds(request.range.from) / step) * step;
    const to = Math.floor(seconds(request.range.to) / step) * step;
    const {result} = instant ? await this.get('query', {query, time: seconds(request.range.to)}) :
                               await this.get('query_range', {query, start: from, end: to, step});
    this.asked.push({refId: target.refId, query, series: result.length});
    if (result.length === 0) return [];
    if (target.format === 'table') return [tableOf(target, result, several)];
    const frames = seriesOf(target, result, from, to, step);
    return target.format === 'heatmap' ? [heatmapOf(target, frames)] : frames;
  }

  async metricFindQuery(query, request) {
    const text = this.interpolate(typeof query === 'string' ? query : query.query, request, scrapeInterval);
    const match = text.match(/^label_values\((?:(.+),\s*)?([A-Za-z_][A-Za-z0-9_]*)\)$/s);
    if (!match) throw new Error(`not a query of a variable: ${text}`);
    const range = {start: seconds(request.range.from), end: seconds(request.range.to)};
    const values = await this.get(`label/${match[2]}/values`, match[1] ? {'match[]': match[1], ...range} : range);
    return values.map((value) => ({text: value}));
  }

  annotations = {
    prepareAnnotation: (annotation) =>
        ({...annotation, target: {...annotation.target, expr: annotation.expr ?? annotation.target?.expr}}),
    prepareQuery: (annotation) =>
        ({refId: 'Anno', interval: annotation.step, ...annotation.target, range: true, instant: false}),
    processEvents: (annotation, frames) => of(eventsOf(annotation, frames)),
  };

  async testDatasource() { return {status: 'success', message: ''}; }
}

// One event a value, where values are times; else one where a series is.
function eventsOf(annotation, frames) {
  const events = new Map();
  for (const frame of frames) {
    const [times, values] = frame.fields;
    const text = (template) => (template ?? '').replace(/\{\{\s*(.+?)\s*\}\}/g, (_, name) => values.labels[name] ?? '');
    values.values.forEach((value, i) => {
      if (value === null || (!annotation.useValueForTime && value === 0)) return;
      const time = annotation.useValueForTime ? value : times.values[i];
      const event = {time, title: text(annotation.titleFormat), text: text(annotation.textFormat),
                     tags: (annotation.tagKeys ?? '').split(',').map((key) => values.labels[key.trim()]).filter(Boolean)};
      events.set(JSON.stringify([time, event.text]), event);
    });
  }
  return [...events.values()];
}
