/** Functions over lists, and the two accesses `list[n]` and `array_length`. */
import type { DataType } from "apache-arrow";
import { orderElements } from "./compare.js";
import { concatVectors } from "./concat.js";
import type { FunctionRecord } from "./functions.js";
import { BOOL, commonType, INT64, isInteger, itemType, kindOf, listOf, UINT64 } from "./types.js";
import { isValid, type ListVector, nothing, outcomeOf, physicalLength, truth, type Vector } from "./vector.js";
import { emptyOf, takeVector } from "./write.js";

function isList(type: DataType | undefined): type is DataType {
  return type !== undefined && kindOf(type) === "list";
}

/** Whether an item is in a list: NULL for a NULL list and for a NULL item. */
const has: FunctionRecord = {
  usage: "array_has(list, item)",
  resolve(types) {
    const [list, item] = types;
    if (types.length !== 2 || !isList(list) || item === undefined) return undefined;
    if (kindOf(item) === "utf8" && kindOf(itemType(list)) !== "utf8") return undefined;
    const common = commonType(itemType(list), item);
    if (common === undefined) return undefined;
    return { args: [listOf(common), common], type: BOOL, kernel: hasItem };
  },
};

function hasItem([list, item]: readonly Vector[], _type: DataType, length: number): Vector {
  if (list?.form !== "list" || item === undefined || item.form === "nothing") return nothing(BOOL, length);
  const outcome = outcomeOf(list, item);
  const out = new Uint8Array(outcome.count);
  for (let i = 0; i < out.length; i++) {
    const at = list.constant ? 0 : i;
    out[i] = findItem(list, at, item, item.constant ? 0 : i) ? 1 : 0;
  }
  return truth(out, outcome, BOOL);
}

function findItem(list: ListVector, row: number, other: Vector, at: number): boolean {
  for (let k = list.offsets[row] as number; k < (list.offsets[row + 1] as number); k++) {
    if (orderElements(list.child, k, other, at) === 0) return true;
  }
  return false;
}

/** Whether any, or every, item of the second list is in the first. */
function hasMany(name: string, every: boolean): FunctionRecord {
  return {
    usage: `${name}(list, items)`,
    resolve(types) {
      const [list, items] = types;
      if (types.length !== 2 || !isList(list) || !isList(items)) return undefined;
      const common = commonType(itemType(list), itemType(items));
      if (common === undefined) return undefined;
      const type = listOf(common);
      const kernel = (args: readonly Vector[], _type: DataType, length: number) => overlap(args, length, every);
      return { args: [type, type], type: BOOL, kernel };
    },
  };
}

function overlap([list, items]: readonly Vector[], length: number, every: boolean): Vector {
  if (list?.form !== "list" || items?.form !== "list") return nothing(BOOL, length);
  const outcome = outcomeOf(list, items);
  const out = new Uint8Array(outcome.count);
  for (let i = 0; i < out.length; i++) {
    const [a, b] = [list.constant ? 0 : i, items.constant ? 0 : i];
    let result = every;
    for (let k = items.offsets[b] as number; k < (items.offsets[b + 1] as number) && result === every; k++) {
      result = findItem(list, a, items.child, k);
    }
    out[i] = result ? 1 : 0;
  }
  return truth(out, outcome, BOOL);
}

const count: FunctionRecord = {
  usage: "array_length(list)",
  resolve(types) {
    const [list] = types;
    if (types.length !== 1 || !isList(list)) return undefined;
    const kernel = ([value]: readonly Vector[], type: DataType, length: number): Vector => {
      if (value?.form !== "list") return nothing(type, length);
      const values = new BigUint64Array(physicalLength(value));
      for (let i = 0; i < values.length; i++)
        values[i] = BigInt((value.offsets[i + 1] as number) - (value.offsets[i] as number));
      return { form: "wide", type, length, constant: value.constant, valid: value.valid, values };
    };
    return { args: [list], type: UINT64, kernel };
  },
};

const isEmpty: FunctionRecord = {
  usage: "array_empty(list)",
  resolve(types) {
    const [list] = types;
    if (types.length !== 1 || !isList(list)) return undefined;
    const kernel = ([value]: readonly Vector[], _type: DataType, length: number): Vector => {
      if (value?.form !== "list") return nothing(BOOL, length);
      const out = new Uint8Array(physicalLength(value));
      for (let i = 0; i < out.length; i++) out[i] = value.offsets[i + 1] === value.offsets[i] ? 1 : 0;
      return truth(out, outcomeOf(value), BOOL);
    };
    return { args: [list], type: BOOL, kernel };
  },
};

/** The n-th item from 1, or from the end when negative; NULL when there is none. */
export const ELEMENT: FunctionRecord = {
  usage: "list[index]",
  resolve(types) {
    const [list, index] = types;
    if (types.length !== 2 || !isList(list) || index === undefined) return undefined;
    if (!isInteger(kindOf(index)) && kindOf(index) !== "null") return undefined;
    return { args: [list, INT64], type: itemType(list), kernel: element };
  },
};

function element([list, index]: readonly Vector[], type: DataType, length: number): Vector {
  if (list?.form !== "list" || index?.form !== "wide") return nothing(type, length);
  const outcome = outcomeOf(list, index);
  const { child } = list;
  // One NULL behind the last item stands for every item that is not there.
  const items = concatVectors([child.constant ? emptyOf(type, child.length) : child, emptyOf(type, 1)]);
  const rows = new Uint32Array(outcome.count);
  for (let i = 0; i < rows.length; i++) {
    const at = list.constant ? 0 : i;
    const [from, to] = [list.offsets[at] as number, list.offsets[at + 1] as number];
    const wanted = Number(index.values[index.constant ? 0 : i]);
    const place = wanted > 0 ? from + wanted - 1 : to + wanted;
    const found = isValid(list, i) && isValid(index, i) && wanted !== 0 && place >= from && place < to;
    rows[i] = found ? place : child.length;
  }
  const picked = takeVector(items, rows);
  return outcome.constant ? { ...picked, constant: true, length } : picked;
}

const all = hasMany("array_has_all", true);
const any = hasMany("array_has_any", false);

export const LIST_FUNCTIONS: Readonly<Record<string, FunctionRecord>> = {
  array_has: has,
  array_contains: has,
  list_has: has,
  list_contains: has,
  array_has_all: all,
  list_has_all: all,
  array_has_any: any,
  list_has_any: any,
  arrays_overlap: any,
  array_length: count,
  list_length: count,
  cardinality: count,
  empty: isEmpty,
  array_empty: isEmpty,
  list_empty: isEmpty,
  array_element: ELEMENT,
  list_element: ELEMENT,
};
