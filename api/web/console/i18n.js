// Words of the console, Chinese and English. Data words (states, kinds, legends) come from the server.

const WORDS = {
  title: ['三图态势', 'Santu console'],
  presets: ['专题', 'Presets'],
  people: ['服务', 'People'], hazards: ['隐患', 'Hazards'], facilities: ['设施', 'Facilities'],
  incidents: ['警情', 'Incidents'], video: ['视频', 'Video'],
  layers: ['图层', 'Layers'], filters: ['筛选', 'Filters'], legend: ['图例', 'Legend'],
  basemap: ['底图', 'Basemap'], borders: ['镇街村居界', 'Borders'], grid_labels: ['网格名称', 'Grid names'],
  micro_grids: ['微网格', 'Micro-grids'], shading: ['网格着色', 'Grid shading'], none: ['不着色', 'No shading'],
  points: ['点位', 'Points'], ground: ['地图', 'Map'], analysis: ['研判', 'Analysis'],
  open: ['未办结警情', 'Open incidents'], density: ['警情分布', 'Incident density'],
  opacity: ['不透明度', 'Opacity'], loading: ['加载中…', 'Loading…'], retry: ['重试', 'Retry'],
  failed: ['载入失败', 'failed to load'], nothing: ['此处暂无数据', 'Nothing here yet'],
  emptyCity: ['这座城市还没有数据。导入网格：santu import grids 文件', 'This city has no data yet. Import grids: santu import grids FILE'],
  search: ['搜索网格、地址、监控点编码或坐标', 'Grid, address, camera code or coordinates'],
  searchHelp: ['上下键选择，回车前往', 'Arrow keys choose, Enter goes'], notFound: ['没有找到', 'Nothing found'],
  grid: ['网格', 'Grid'], camera: ['监控点', 'Camera'], address: ['地址', 'Address'], place: ['坐标', 'Place'],
  category: ['类别', 'Category'], source: ['来源', 'Source'], window: ['时间', 'Time'], state: ['监控点状态', 'Camera state'],
  subtree: ['范围', 'Within'], wholeCity: ['全市', 'Whole city'], clear: ['清除', 'Clear'], all: ['全部', 'All'],
  days: ['近 {n} 天', 'Last {n} days'], custom: ['时间轴所选', 'As on the slider'],
  asOf: ['网格日期', 'Grids as of'], today: ['今天', 'Today'],
  play: ['播放', 'Play'], pause: ['暂停', 'Pause'], step: ['步长', 'Step'], byDay: ['按日', 'By day'], byWeek: ['按周', 'By week'],
  before: ['前一段', 'Back'], after: ['后一段', 'Forward'], timeOff: ['不按时间', 'Any time'], timeline: ['时间轴', 'Timeline'],
  live: ['实时', 'Live'], connecting: ['连接中', 'Connecting'], behind: ['落后 {n} 分钟', '{n} min behind'], offline: ['连接中断', 'Disconnected'],
  dataTo: ['数据至 {t}', 'Data to {t}'], newest: ['最新', 'Newest'], card: ['态势', 'Situation'], close: ['关闭', 'Close'],
  light: ['浅色', 'Light'], dark: ['深色', 'Dark'], theme: ['切换明暗', 'Switch theme'], language: ['EN', '中'],
  help: ['快捷键', 'Keys'], panel: ['图层面板', 'Layer panel'], fullscreen: ['全屏', 'Full screen'],
  chain: ['所在网格', 'Grids'], post: ['岗位', 'Post'], outside: ['不在任何网格内', 'In no grid'],
  seenBy: ['看得见此处的监控点', 'Cameras that see this place'], seenNone: ['没有监控点看得见此处', 'No camera sees this place'],
  working: ['{a} 个中 {b} 个在线', '{b} of {a} online'], unjudged: ['另有 {n} 个朝向不明', '{n} more without a bearing'],
  nearest: ['最近设施（车程）', 'Nearest facilities (by road)'], noRoad: ['无路网车程', 'no road time'],
  around: ['周边 {n} 米', 'Within {n} m'], openIncidents: ['未办结警情', 'Open incidents'], openHazards: ['未整改隐患', 'Open hazards'],
  zero: ['无', 'none'], more: ['共 {n} 条，列出最近 {m} 条', '{n} in all, nearest {m} shown'], overdue: ['逾期', 'overdue'],
  due: ['时限', 'due'], onlyGrid: ['只看此网格', 'Only this grid'], risk: ['风险', 'Risk'], faults: ['地址疑点', 'Address faults'],
  copy: ['复制链接', 'Copy link'], copied: ['已复制', 'Copied'], seconds: ['{n} 秒', '{n} s'], minutes: ['{n} 分钟', '{n} min'],
  capped: ['只显示最新 {n} 起', 'newest {n} shown'], cluster: ['聚合点（数字为数量）', 'cluster (number: how many)'],
  badInside: ['红圈：含异常或逾期', 'red ring: faults or overdue inside'], coordinate: ['经度, 纬度', 'lon, lat'],
  defaults: ['部分参数为缺省', 'some values are defaults'], level: ['图像等级', 'image level'], unknownLevel: ['等级不明', 'level unknown'],
  kSearch: ['搜索', 'Search'], kPresets: ['切换专题', 'Presets'], kPanel: ['图层面板', 'Layer panel'], kPlay: ['播放 / 暂停', 'Play / pause'],
  kStep: ['前 / 后一段', 'Step back / forward'], kTheme: ['明暗', 'Theme'], kLang: ['中 / 英', 'Language'], kClose: ['关闭', 'Close'], kHere: ['地图中心的态势', 'Situation at the centre'],
  candidates: ['多个可能，请选', 'Several candidates'], since: ['自', 'from'], monitor: ['监视', 'monitor'], detect: ['探测', 'detect'],
  observe: ['观察', 'observe'], recognise: ['识别', 'recognise'], identify: ['辨认', 'identify'],
  classAll: ['全部', 'All'], hot: ['热点', 'Hotspots'], coverage: ['覆盖', 'Coverage'], blind: ['盲区', 'Blind spots'],
  risk1: ['一级（红）', 'level 1 (red)'], risk2: ['二级（橙）', 'level 2 (orange)'], risk3: ['三级（黄）', 'level 3 (yellow)'], risk4: ['四级（蓝）', 'level 4 (blue)'],
  score: ['{n} 分', 'score {n}'], peers: ['同类中位', 'peers'], asOfDay: ['截至', 'as of'],
  becameHot: ['新热点', 'New hot spot'], noLongerHot: ['热点解除', 'No longer hot'],
  blindNote: ['虚线与叉：最重的 {n} 处，共 {m} 处；数字为名次', 'dashes and crosses: worst {n} of {m}; the number is the rank'],
  uncertain: ['误差约 {n} 米', 'within about {n} m'], noneShown: ['当前筛选下无警情', 'No incidents under these filters'],
};

let index = 0;

export const lang = () => (index ? 'en' : 'zh');

export function setLang(name) {
  index = name === 'en' ? 1 : 0;
  document.documentElement.lang = index ? 'en' : 'zh-CN';
}

export function t(key, values = {}) {
  const text = (WORDS[key] || [key, key])[index];
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Pick from {zh, en}, as the server gives it. */
export const say = (o) => (o ? o[lang()] || o.zh || o.en || '' : '');

export function number(value, digits = 0) {
  return Number(value).toLocaleString(index ? 'en-GB' : 'zh-CN', { maximumFractionDigits: digits });
}

export function duration(seconds) {
  return seconds < 60 ? t('seconds', { n: Math.round(seconds) }) : t('minutes', { n: Math.round(seconds / 6) / 10 });
}

export function moment(iso, timezone) {
  if (!iso) return '';
  const options = { timeZone: timezone, month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', hour12: false };
  return new Date(iso).toLocaleString(index ? 'en-GB' : 'zh-CN', options);
}
