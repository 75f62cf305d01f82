// A heatmap of buckets that the data source has counted, which Grafana's libraries do not have.
import {FieldType, dateTimeFormat, formattedValueToString, getValueFormat} from '@grafana/data';
import {useTheme2} from '@grafana/ui';

const steps = 64;
// From little to much; of the schemes that options.color.scheme may name these two shades do.
const shade = (part, dark) => {
  const [low, high] = dark ? [[32, 38, 58], [250, 178, 60]] : [[255, 243, 219], [196, 61, 32]];
  return `rgb(${low.map((from, i) => Math.round(from + (high[i] - from) * part)).join(',')})`;
};

export function Heatmap({data, width, height, options, timeRange}) {
  const theme = useTheme2();
  const frame = data.series[0];
  if (!frame) return null;
  const times = frame.fields[0].values;
  const rows = frame.fields.filter((field) => field.type === FieldType.number);
  const most = Math.max(...rows.flatMap((field) => [...field.values].filter((value) => Number.isFinite(value))), 1e-9);
  const [from, to] = [timeRange.from.valueOf(), timeRange.to.valueOf()];
  const [left, bottom] = [64, 24];
  const x = (time) => left + (time - from) / (to - from) * (width - left);
  const cell = (height - bottom) / rows.length;
  const wide = Math.max(1, times.length > 1 ? x(times[1]) - x(times[0]) : 8);
  const unit = getValueFormat(options.yAxis?.unit ?? 'short');
  const bound = (text) => text === '+Inf' ? '+Inf' : formattedValueToString(unit(Number(text)));
  const floor = options.filterValues?.le ?? 0;
  return (
    <svg width={width} height={height} style={{fontSize: 11, fill: theme.colors.text.secondary}}>
      {rows.map((field, row) => (
        <g key={row}>
          <text x={left - 8} y={height - bottom - row * cell - cell / 2 + 4} textAnchor="end">
            {cell > 11 || row % 2 === 0 ? bound(field.labels?.le ?? field.name) : ''}
          </text>
          {[...field.values].map((value, i) => value > floor && times[i] >= from && (
            <rect key={i} x={x(times[i]) - wide} y={height - bottom - (row + 1) * cell} width={wide} height={cell - 1}
                  fill={shade(Math.ceil(Math.sqrt(value / most) * steps) / steps, theme.isDark)} />
          ))}
        </g>
      ))}
      {Array.from({length: Math.max(2, Math.floor((width - left) / 110))}, (_, i, of = Math.floor((width - left) / 110)) => {
        const time = from + (i + 0.5) * (to - from) / of;
        return <text key={i} x={x(time)} y={height - 6} textAnchor="middle">{dateTimeFormat(time, {timeZone: 'utc', format: 'MM/DD HH:mm'})}</text>;
      })}
    </svg>
  );
}
