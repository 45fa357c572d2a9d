// Where a key types a letter, and so is no command: fields, but not the boxes and sliders that are inputs as well.

const LETTERS =
  "input:not([type='checkbox'], [type='radio'], [type='range']), textarea, select, [contenteditable], [role='combobox']";

function isTypedInto(target) {
  return Boolean(target.closest?.(LETTERS));
}
