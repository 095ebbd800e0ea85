// What convolutions to and from values in blocks of 16 channels compute, and where.

// What such a convolution reads, `from`, and writes, `to`: (samples, blocks, height, width, 16), but one of them may be
// (samples, channels, height, width); a `to` of one place has any number of channels. Kernels are
// (⌈taps · channels of `from` / 16⌉, channels of `to`, 16 taps and channels of `from`).
struct Convolution {
  int samples, from_blocks, from_height, from_width, to_channels, to_height, to_width;
  int kernel_height, kernel_width, stride_height, stride_width, padding_height, padding_width;
  int dilation_height, dilation_width;
  int splits;    // blocks that share the sums of a tile
  int channels;  // of an image that is read or folded, whose channels are not in blocks; otherwise 0
};

const int CHANNELS = 16;
const int ROWS = 128;      // places of a tile
const int STAGES = 4;      // steps whose operands are in shared memory or on the way
const int BLOCKED_THREADS = 256;
const int QUADS = CHANNELS / 4;
const int EACH = BLOCKED_THREADS / QUADS;  // rows of which threads fetch a quad each

// What happens to results.
enum Kind {
  FORWARD,    // of a convolution
  POOLED,     // of a convolution, followed by the largest of each 2×2 places
  WINDOWS,    // of a convolution, followed by the largest of each window
  BACKWARD,   // of an input gradient without steps
  STEPPED,    // of an input gradient with steps
  FOLDED,     // of a product of each place with all taps of windows that lead to few channels, added up where windows overlap
  SCATTERED,  // of an input gradient without steps, scattered to where the winners of windows came from
};

__device__ constexpr bool leads_back(Kind kind) { return kind == BACKWARD || kind == STEPPED || kind == SCATTERED; }

// Whether a tile is a patch of the places of a sample, and not so many places that follow one another.
__device__ constexpr bool in_patches(Kind kind) { return kind == WINDOWS || kind == SCATTERED || kind == FOLDED; }

// Windows along an axis, and the patches that hold them. Patches overlap: each window of WINDOWS lies in one, and so do all windows of
// SCATTERED or FOLDED that hold an element.
struct Axis {
  int kernel, stride, padding;
  int size;                // of what is written
  int patch, step, count;  // places of a patch, from one to the next, and how many patches there are
};

struct Windows {
  Axis down, across;
};

// The first place of a patch; it may be in the padding.
template <Kind KIND>
__device__ inline int patch_start(const Axis& axis, int patch) {
  return patch * axis.step - (KIND == WINDOWS ? axis.padding : 0);
}

// The first element that a patch writes: the next one writes those from its own on.
template <Kind KIND>
__device__ inline int written_start(const Axis& axis, int patch) {
  if (KIND == WINDOWS) return min(patch * axis.step / axis.stride, axis.size);
  if (patch == 0) return 0;
  if (patch == axis.count) return axis.size;
  const int window = (patch - 1) * axis.step + axis.patch;  // the first that the patch before does not have
  return max(0, min(window * axis.stride - axis.padding, axis.size));
}

// The places of `to` that read the same taps: with steps, an input gradient has as many such classes as a window has steps.
template <Kind KIND>
struct Places {
  Windows windows;
  int samples, top, left, step_height, step_width, height, width;

  __device__ Places(const Convolution& c, int number, const Windows& windows) : windows(windows), samples(c.samples) {
    step_height = KIND == STEPPED ? c.stride_height : 1;
    step_width = KIND == STEPPED ? c.stride_width : 1;
    top = number / step_width;
    left = number % step_width;
    height = (c.to_height - top + step_height - 1) / step_height;
    width = (c.to_width - left + step_width - 1) / step_width;
  }

  // The place of a row, where rows are counted through all tiles; false where there is none. The places of a window of 2×2 follow one another
  // where it is pooled.
  __device__ bool find(int row, int& n, int& y, int& x) const {
    if (in_patches(KIND)) {
      const Axis &down = windows.down, &across = windows.across;
      const int patch = row / ROWS, at = row % ROWS;
      n = patch / (down.count * across.count);
      y = patch_start<KIND>(down, patch / across.count % down.count) + at / across.patch;
      x = patch_start<KIND>(across, patch % across.count) + at % across.patch;
      return at < down.patch * across.patch && (unsigned)y < (unsigned)height && (unsigned)x < (unsigned)width;
    }
    const unsigned plane = height * width, across = width;  // divisions without a sign take fewer instructions
    n = row / plane;
    const unsigned place = row % plane;
    if (KIND == POOLED) {
      const unsigned window = place / 4, tap = place % 4;
      y = window / (across / 2) * 2 + tap / 2;
      x = window % (across / 2) * 2 + tap % 2;
    } else {
      y = top + place / across * step_height;
      x = left + place % across * step_width;
    }
    return n < samples;
  }
};
