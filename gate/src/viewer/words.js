// The words of the page's language, which stand in the page. A number chooses the form of its plural.
const root = document.documentElement, told = JSON.parse(document.getElementById('words').textContent);
// Digits are those of the pages that a server writes.
const locale = root.lang + '-u-nu-latn', forms = new Intl.PluralRules(locale), numbers = new Intl.NumberFormat(locale);
// Names and times keep their own direction within text from right to left.
const shown = (value) => {
  const text = typeof value === 'number' ? numbers.format(value) : value;
  return root.dir === 'rtl' ? '\u2068' + text + '\u2069' : text;
};

export const words = (id, values = {}) => {
  const found = told[id], text = typeof found === 'object' ? found[forms.select(values.count)] ?? found.other : found;
  return text.replace(/\{(\w+)\}/g, (_, name) => shown(values[name]));
};
export const has = (id) => Object.hasOwn(told, id);
