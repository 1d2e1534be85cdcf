// The clock of the mean column: see surrogate/fast/clock.py.

#include "vectors.h"

namespace {

// Slots of equal charge: their edges on the clock, ∫c² dt and ∫c³ dt / ∫c² dt.
void slots_of(int64_t slots, int64_t grid, const Vec* step, const Vec* reading, Vec* edge, Vec* square, Vec* level) {
  const float scale = static_cast<float>(grid);
  std::fill(edge, edge + slots + 1, Vec{});
  std::fill(square, square + slots, Vec{});
  std::fill(level, level + slots, Vec{});
  if (slots == 1) {
    for (int64_t k = 0; k < grid; ++k) {
      const Vec two = step[k] * step[k] * (1.0f / scale);
      square[0] += two;
      level[0] += two * step[k];
    }
    edge[1] = reading[grid];
  } else {
    for (int64_t k = 0; k < grid; ++k)
      for (int lane = 0; lane < kLanes; ++lane) {
        const float charge = step[k][lane] / scale, middle = reading[k][lane] + 0.5f * charge;
        const float at = middle * static_cast<float>(slots) / std::max(reading[grid][lane], kTiny);
        const int64_t s = std::min<int64_t>(static_cast<int64_t>(at), slots - 1);
        edge[s + 1][lane] += charge;
        square[s][lane] += step[k][lane] * charge;
        level[s][lane] += step[k][lane] * step[k][lane] * charge;
      }
    for (int64_t s = 0; s < slots; ++s) edge[s + 1] += edge[s];
  }
  for (int64_t s = 0; s < slots; ++s) {
    const Vec least = Vec{} + kTiny;
    level[s] /= square[s] > least ? square[s] : least;
  }
}

// nodes of the time grid at or before times (plus `ahead` steps), at most `last`, and the fraction of a step beyond
void find_nodes(const float* time, int64_t count, float scale, float ahead, int64_t last, int32_t* node, float* late) {
  const int32_t most = static_cast<int32_t>(last);
  for (int64_t i = 0; i < count; ++i) {
    const float place = time[i] * scale + ahead;
    const int32_t at = static_cast<int32_t>(place);
    node[i] = at < 0 ? 0 : at > most ? most : at;
    late[i] = place - static_cast<float>(node[i]);
  }
}

// Samples are taken by lanes.
void mean_clock(int64_t batch, int64_t n, int64_t slots, int64_t grid, const float* duration, const float* weight,
                  const float* strength, float* elapsed, float* slope, int32_t* slot, float* square, float* level) {
  float total = 0.0f;
  for (int64_t i = 0; i < n; ++i) total += weight[i];
  const float scale = static_cast<float>(grid), per_total = 1.0f / std::max(total, kTiny);
  const float per_scale = 1.0f / scale;
  std::vector<Vec> current(grid + 2), step(grid), reading(grid + 1), edge(slots + 1), sq(slots), lv(slots);
  std::vector<int32_t> node(n);
  std::vector<float> late(n), carried(n);
  for (int64_t first = 0; first < batch; first += kLanes) {
    const int64_t lanes = std::min<int64_t>(kLanes, batch - first);
    std::fill(current.begin(), current.end(), Vec{});
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const float* time = duration + (first + lane) * n;
      float* mine = reinterpret_cast<float*>(current.data() + 1) + lane;  // a place before the first node takes what
      find_nodes(time, n, scale, 0.5f, grid, node.data(), late.data());  // a row that ends there would add before it
      for (int64_t i = 0; i < n; ++i) carried[i] = time[i] > 0.0f ? weight[i] : 0.0f;
      for (int64_t i = 0; i < n; ++i) {
        float* at = mine + node[i] * kLanes;
        const float now = carried[i] * late[i];  // at the node itself, and by the sum below at all before it
        at[0] += now;
        at[-kLanes] += carried[i] - now;
      }
    }
    std::memmove(current.data(), current.data() + 1, (grid + 1) * sizeof(Vec));
    current[grid + 1] = Vec{};
    for (int64_t k = grid - 1; k >= 0; --k) current[k] += current[k + 1];
    for (int64_t k = 0; k <= grid; ++k) {
      const Vec p = current[k] * per_total;
      current[k] *= (((strength[4] * p + strength[3]) * p + strength[2]) * p + strength[1]) * p + strength[0];
    }
    reading[0] = Vec{};
    for (int64_t k = 0; k < grid; ++k) {
      step[k] = 0.5f * (current[k] + current[k + 1]);
      reading[k + 1] = reading[k] + step[k] * (1.0f / scale);
    }
    slots_of(slots, grid, step.data(), reading.data(), edge.data(), sq.data(), lv.data());
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const int64_t b = first + lane;
      const float* at_node = reinterpret_cast<const float*>(current.data()) + lane;
      const float* read_at = reinterpret_cast<const float*>(reading.data()) + lane;
      for (int64_t s = 0; s < slots; ++s) {
        square[b * slots + s] = sq[s][lane];
        level[b * slots + s] = lv[s][lane];
      }
      find_nodes(duration + b * n, n, scale, 0.0f, grid - 1, node.data(), late.data());
      for (int64_t i = 0; i < n; ++i) {
        const int64_t k = node[i] * kLanes;
        const float start = at_node[k], change = late[i] * (at_node[k + kLanes] - start);
        const float read = read_at[k] + late[i] * (start + 0.5f * change) * per_scale;
        slope[b * n + i] = start + change;
        if (slots == 1) {
          elapsed[b * n + i] = read;
          continue;
        }
        slot[b * n + i] = 0;
        for (int64_t s = 0; s < slots; ++s) {
          elapsed[(b * slots + s) * n + i] = std::max(std::min(read, edge[s + 1][lane]) - edge[s][lane], 0.0f);
          if (s > 0 && read > edge[s][lane]) slot[b * n + i] = static_cast<int32_t>(s);
        }
      }
    }
  }
}

typedef int32_t Ints __attribute__((vector_size(4 * kLanes)));

// values of a table of one or two vectors at `node`
template <int V>
inline Vec at_nodes(const Vec* table, Ints node) {
  if constexpr (V == 1) return __builtin_shuffle(table[0], node);
  else return __builtin_shuffle(table[0], table[1], node);
}

// One slot on a grid whose nodes fill V vectors: all in registers, by rows.
template <int V>
void coarse_clock(int64_t batch, int64_t n, const float* duration, const float* weight, const float* strength,
                  float* elapsed, float* slope, float* square, float* level) {
  constexpr int nodes = V * kLanes, grid = nodes - 1;
  const int64_t np = (n + kLanes - 1) / kLanes * kLanes;
  const Vec zero{}, one = zero + 1.0f, scale = zero + static_cast<float>(grid);
  std::vector<float> carried(np, 0.0f), time(np, 0.0f), read(np), steep(np);
  std::copy(weight, weight + n, carried.begin());
  float total = 0.0f;
  for (int64_t i = 0; i < n; ++i) total += weight[i];
  const float per_total = 1.0f / std::max(total, kTiny), length = 1.0f / grid;
  for (int64_t b = 0; b < batch; ++b) {
    std::memcpy(time.data(), duration + b * n, n * sizeof(float));
    Vec at[nodes] = {};
    for (int64_t i = 0; i < np; i += kLanes) {
      const Vec t = load(&time[i]), w = t > zero ? load(&carried[i]) : zero;
      Vec place = t * scale + 0.5f;
      for (int k = 0; k < nodes; ++k, place -= 1.0f) {
        const Vec over = place < one ? place : one;
        at[k] += w * (over > zero ? over : zero);
      }
    }
    Vec current[V], next[V] = {}, reading[V] = {};
    for (int k = 0; k < nodes; ++k) {
      const Vec v = at[k];
      current[k / kLanes][k % kLanes] = ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7]));
    }
    for (Vec& some : current) {
      const Vec p = some * per_total;
      some *= (((strength[4] * p + strength[3]) * p + strength[2]) * p + strength[1]) * p + strength[0];
    }
    float sum = 0.0f, two = 0.0f, three = 0.0f;
    for (int k = 0; k < grid; ++k) {
      const float now = current[k / kLanes][k % kLanes], then = current[(k + 1) / kLanes][(k + 1) % kLanes];
      const float step = 0.5f * (now + then);
      next[k / kLanes][k % kLanes] = then - now;
      reading[k / kLanes][k % kLanes] = sum;
      sum += step * length, two += step * step * length, three += step * step * step * length;
    }
    square[b] = two;
    level[b] = three / std::max(two, kTiny);
    for (int64_t i = 0; i < np; i += kLanes) {
      const Vec place = load(&time[i]) * scale;
      Ints node = __builtin_convertvector(place, Ints);
      node = node < grid - 1 ? node : (Ints{} + (grid - 1));
      const Vec late = place - __builtin_convertvector(node, Vec);
      const Vec start = at_nodes<V>(current, node), change = late * at_nodes<V>(next, node);
      store(&read[i], at_nodes<V>(reading, node) + late * (start + 0.5f * change) * length);
      store(&steep[i], start + change);
    }
    std::memcpy(elapsed + b * n, read.data(), n * sizeof(float));
    std::memcpy(slope + b * n, steep.data(), n * sizeof(float));
  }
}

}  // namespace

extern "C" {

// Clocks of tiles: see clock.py. Out: elapsed [tiles, batch, slots, n], slope and slot [tiles, batch, n], square and
// level [tiles, batch, slots].
int fg_mean_clock(int64_t tiles, int64_t batch, int64_t n, int64_t slots, int64_t grid, const float* duration,
                  const float* weight, const float* strength, float* elapsed, float* slope, int32_t* slot,
                  float* square, float* level) {
  const int64_t bn = batch * n, bs = batch * slots;
  if (slots == 1 && (grid == kLanes - 1 || grid == 2 * kLanes - 1)) {
    const auto clock = grid == kLanes - 1 ? coarse_clock<1> : coarse_clock<2>;
    for (int64_t t = 0; t < tiles; ++t)
      clock(batch, n, duration + t * bn, weight + t * n, strength + t * 5, elapsed + t * bn, slope + t * bn,
            square + t * batch, level + t * batch);
    return 0;
  }
  for (int64_t t = 0; t < tiles; ++t)
    mean_clock(batch, n, slots, grid, duration + t * bn, weight + t * n, strength + t * 5, elapsed + t * bs * n,
               slope + t * bn, slot + t * bn, square + t * bs, level + t * bs);
  return 0;
}

}  // extern "C"
