// A state timeline, which Grafana's libraries do not have: a row a series, a bar as long as a value stays.
import {FieldType, dateTimeFormat, formattedValueToString, getDisplayProcessor, getFieldDisplayName} from '@grafana/data';
import {VizLegend, useTheme2} from '@grafana/ui';

// Runs of the same text.
function runsOf(frame, field, theme, merge) {
  const times = frame.fields.find((other) => other.type === FieldType.time).values;
  const display = field.display ?? getDisplayProcessor({field, theme});
  const step = times.length > 1 ? times[1] - times[0] : 60000;
  const runs = [];
  field.values.forEach((value, i) => {
    if (value === null || value === undefined) return;
    const shown = display(value);
    const text = formattedValueToString(shown);
    const last = runs.at(-1);
    if (merge && last && last.text === text && last.to >= times[i]) {
      last.to = times[i] + step;
    } else {
      runs.push({from: times[i], to: times[i] + step, text, color: shown.color});
    }
  });
  return runs;
}

const columnOf = (text) => ({overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap', ...text});

function ticksOf(from, to, room) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880].map((minutes) => minutes * 60000);
  const step = steps.find((each) => (to - from) / each <= Math.max(2, room / 90)) ?? steps.at(-1);
  const ticks = [];
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) ticks.push(time);
  return ticks.map((time) => ({time, text: dateTimeFormat(time, {
    timeZone: 'utc', format: step >= 86400000 ? 'MM/DD' : time % 86400000 === 0 ? 'MM/DD HH:mm' : 'HH:mm'})}));
}

// The colours that are there, and what they stand for.
function legendOf(rows) {
  const items = new Map();
  for (const {runs} of rows) for (const run of runs) items.set(run.text, run.color);
  return [...items].map(([label, color]) => ({label, color, yAxis: 1}));
}

export function StateTimeline({data, width, height, options, timeRange}) {
  const theme = useTheme2();
  const rows = data.series.flatMap((frame) => frame.fields.filter((field) => field.type !== FieldType.time).map((field) => ({
    name: getFieldDisplayName(field, frame, data.series),
    fill: (field.config.custom?.fillOpacity ?? 70) / 100,
    runs: runsOf(frame, field, theme, options.mergeValues !== false),
  })));
  const legend = options.legend?.showLegend === false ? [] : legendOf(rows);
  const [from, to] = [timeRange.from.valueOf(), timeRange.to.valueOf()];
  const names = Math.min(width * 0.42, Math.max(40, ...rows.map(({name}) => name.length * 6.4 + 12)));
  const room = width - names - 10;
  const rowHeight = (height - 24 - (legend.length ? 28 : 0)) / Math.max(1, rows.length);
  const x = (time) => names + (Math.min(Math.max(time, from), to) - from) / (to - from) * room;
  const bar = rowHeight * (options.rowHeight ?? 0.9);
  return (
    <div style={{width, height, position: 'relative', fontSize: 12, color: theme.colors.text.primary}}>
      {rows.map(({name, runs, fill}, i) => (
        <div key={i}>
          <div title={name} style={columnOf({position: 'absolute', top: i * rowHeight, height: rowHeight, width: names - 8,
                                            lineHeight: `${rowHeight}px`, textAlign: 'right'})}>{name}</div>
          {runs.filter((run) => run.to > from && run.from < to).map((run, k) => {
            const [left, right] = [x(run.from), x(run.to)];
            return (
              <div key={k} style={columnOf({
                position: 'absolute', top: i * rowHeight + (rowHeight - bar) / 2, height: bar, left, width: Math.max(1, right - left),
                lineHeight: `${bar}px`, textAlign: options.alignValue ?? 'left',
                background: theme.visualization.getColorByName(run.color ?? 'gray'), opacity: Math.max(fill, 0.2),
                color: theme.colors.getContrastText(theme.visualization.getColorByName(run.color ?? 'gray')),
              })}>{options.showValue !== 'never' && right - left > run.text.length * 7 + 6 ? run.text : ''}</div>
            );
          })}
        </div>
      ))}
      {ticksOf(from, to, room).map(({time, text}) => (
        <div key={time} style={{position: 'absolute', top: rows.length * rowHeight + 4, left: x(time) - 40, width: 80, textAlign: 'center',
                                color: theme.colors.text.secondary}}>{text}</div>
      ))}
      {(data.annotations ?? []).flatMap((frame) => marksOf(frame)).filter(({time}) => time >= from && time <= to).map(({time, color}, i) => (
        <div key={i} style={{position: 'absolute', top: 0, height: rows.length * rowHeight, left: x(time), borderLeft: `1px dashed ${color}`}} />
      ))}
      {legend.length > 0 && (
        <div style={{position: 'absolute', bottom: 0}}><VizLegend displayMode="list" placement="bottom" items={legend} /></div>
      )}
    </div>
  );
}

export function marksOf(frame) {
  const column = (name) => frame.fields.find((field) => field.name === name)?.values ?? [];
  return [...column('time')].map((time, i) => ({time, color: column('color')[i] ?? 'red', text: column('text')[i] ?? ''}));
}
