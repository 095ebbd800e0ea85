// The driver's functions: streams, events, capture and graphs.
#pragma once

#include "work.h"

// --- streams ---

static int create_stream(void** handle, unsigned flags, int priority) {
  Stream* stream = new Stream;
  stream->blocking = !(flags & 1);
  stream->priority = priority;
  driver().streams.insert(stream);
  *handle = stream;
  return SUCCESS;
}
EXPORT int cuStreamCreate(void** stream, unsigned flags) {
  ENTER_CONTEXT(cuStreamCreate)
  return create_stream(stream, flags, 0);
}
EXPORT int cuStreamCreateWithPriority(void** stream, unsigned flags, int priority) {
  ENTER_CONTEXT(cuStreamCreateWithPriority)
  return create_stream(stream, flags, priority);
}
EXPORT int cuStreamGetPriority(void* handle, int* priority) {
  ENTER_CONTEXT(cuStreamGetPriority)
  STREAM(stream, handle)
  *priority = stream->priority;
  return SUCCESS;
}

EXPORT int cuStreamDestroy_v2(void* handle) {
  ENTER_CONTEXT(cuStreamDestroy_v2)
  Stream* stream = static_cast<Stream*>(handle);
  if (!driver().streams.count(stream)) return INVALID_HANDLE;
  const int error = drain(*stream);
  if (stream->capture && stream->capture->origin == stream) {
    stream->capture->valid = false;
    driver().captures.erase(stream->capture);
    delete stream->capture->graph;
  }
  driver().streams.erase(stream);
  delete stream;
  return error;
}

EXPORT int cuStreamSynchronize(void* handle) {
  ENTER_CONTEXT(cuStreamSynchronize)
  STREAM(stream, handle)
  if (stream->capture) return invalidate(*stream->capture, CAPTURE_UNSUPPORTED);
  if (stream == &driver().legacy && blocking_capture()) return CAPTURE_IMPLICIT;
  if (int error = drain_before(*stream)) return error;
  if (int error = drain(*stream)) return error;
  return overruns();
}

EXPORT int cuStreamQuery(void* handle) {
  ENTER_CONTEXT(cuStreamQuery)
  STREAM(stream, handle)
  if (stream->capture) return invalidate(*stream->capture, CAPTURE_UNSUPPORTED);
  if (stream->queue.empty()) return SUCCESS;
  const int error = drain(*stream);
  return error ? error : NOT_READY;
}

EXPORT int cuLaunchHostFunc(void* handle, void (*function)(void*), void* data) {
  ENTER_CONTEXT(cuLaunchHostFunc)
  STREAM(stream, handle)
  return submit(*stream, [=] {
    function(data);
    return int(SUCCESS);
  });
}

// --- events ---

#define EVENT(event, handle)                     \
  Event* event = static_cast<Event*>(handle);    \
  if (!driver().events.count(event)) return INVALID_HANDLE;

EXPORT int cuEventCreate(void** handle, unsigned flags) {
  ENTER_CONTEXT(cuEventCreate)
  Event* event = new Event;
  event->timing = !(flags & 2);
  driver().events.insert(event);
  *handle = event;
  return SUCCESS;
}

EXPORT int cuEventDestroy_v2(void* handle) {
  ENTER_CONTEXT(cuEventDestroy_v2)
  EVENT(event, handle)
  driver().events.erase(event);
  delete event;
  return SUCCESS;
}

static int record(void* event_handle, void* stream_handle) {
  EVENT(event, event_handle)
  STREAM(stream, stream_handle)
  event->stream = stream;
  event->recorded = true;
  event->capture = stream->capture;
  if (stream->capture) {
    if (!stream->capture->valid) return CAPTURE_INVALIDATED;
    event->at = stream->captured;
    return SUCCESS;
  }
  const int error = submit(*stream, [=] {
    if (driver().events.count(event)) clock_gettime(CLOCK_MONOTONIC, &event->time);
    return int(SUCCESS);
  });
  event->at = stream->done + stream->queue.size();
  return error;
}
EXPORT int cuEventRecord(void* event, void* stream) {
  ENTER_CONTEXT(cuEventRecord)
  return record(event, stream);
}
EXPORT int cuEventRecordWithFlags(void* event, void* stream, unsigned) {
  ENTER_CONTEXT(cuEventRecordWithFlags)
  return record(event, stream);
}

static bool pending(const Event& event) {
  const bool known = event.stream == &driver().legacy || driver().streams.count(event.stream) ||
                     std::any_of(driver().per_thread.begin(), driver().per_thread.end(), [&](auto& entry) { return &entry.second == event.stream; });
  return event.recorded && known && event.stream->done < event.at;
}

EXPORT int cuEventQuery(void* handle) {
  ENTER_CONTEXT(cuEventQuery)
  EVENT(event, handle)
  if (event->capture) return CAPTURED_EVENT;
  if (!pending(*event)) return SUCCESS;
  const int error = drain(*event->stream, event->at);
  return error ? error : NOT_READY;
}

EXPORT int cuEventSynchronize(void* handle) {
  ENTER_CONTEXT(cuEventSynchronize)
  EVENT(event, handle)
  if (event->capture) return CAPTURED_EVENT;
  return pending(*event) ? drain(*event->stream, event->at) : SUCCESS;
}

static int elapsed(float* ms, void* start_handle, void* end_handle) {
  EVENT(start, start_handle)
  EVENT(end, end_handle)
  if (!start->timing || !end->timing || !start->recorded || !end->recorded) return INVALID_HANDLE;
  if (start->capture || end->capture) return CAPTURED_EVENT;
  if (pending(*start) || pending(*end)) return NOT_READY;
  *ms = float((end->time.tv_sec - start->time.tv_sec) * 1e3 + (end->time.tv_nsec - start->time.tv_nsec) * 1e-6);
  return SUCCESS;
}
EXPORT int cuEventElapsedTime(float* ms, void* start, void* end) {
  ENTER_CONTEXT(cuEventElapsedTime)
  return elapsed(ms, start, end);
}
EXPORT int cuEventElapsedTime_v2(float* ms, void* start, void* end) {
  ENTER_CONTEXT(cuEventElapsedTime_v2)
  return elapsed(ms, start, end);
}

EXPORT int cuStreamWaitEvent(void* stream_handle, void* event_handle, unsigned) {
  ENTER_CONTEXT(cuStreamWaitEvent)
  STREAM(stream, stream_handle)
  EVENT(event, event_handle)
  if (!event->recorded) return SUCCESS;
  if (!event->capture) {
    if (stream->capture) return invalidate(*stream->capture, CAPTURE_ISOLATION);
    if (!pending(*event)) return SUCCESS;
    Stream* other = event->stream;
    const uint64_t at = event->at;
    return submit(*stream, [=] { return drain(*other, at); });
  }
  if (!driver().captures.count(event->capture)) return CAPTURED_EVENT;
  if (!event->capture->valid) return CAPTURE_INVALIDATED;
  if (stream == &driver().legacy) return invalidate(*event->capture, CAPTURE_IMPLICIT);
  if (!stream->capture) {
    stream->capture = event->capture;
    stream->captured = stream->joined = 0;
  } else if (stream->capture != event->capture) {
    return invalidate(*stream->capture, CAPTURE_MERGE);
  }
  if (event->stream != stream) event->stream->joined = std::max(event->stream->joined, event->at);
  return SUCCESS;
}

// --- capture and graphs ---

EXPORT int cuStreamBeginCapture_v2(void* handle, int mode) {
  ENTER_CONTEXT(cuStreamBeginCapture_v2)
  STREAM(stream, handle)
  if (mode < 0 || mode > 2) return INVALID_VALUE;
  if (stream == &driver().legacy) return CAPTURE_UNSUPPORTED;
  if (stream->capture) return ILLEGAL_STATE;
  stream->capture = std::make_shared<Capture>(Capture{new Graph, stream, unsigned(mode), pthread_self(), driver().next_capture++});
  stream->captured = stream->joined = 0;
  driver().captures.insert(stream->capture);
  return SUCCESS;
}

EXPORT int cuStreamEndCapture(void* handle, void** graph) {
  ENTER_CONTEXT(cuStreamEndCapture)
  STREAM(stream, handle)
  *graph = nullptr;
  const auto capture = stream->capture;
  if (!capture) return ILLEGAL_STATE;
  if (capture->origin != stream) return CAPTURE_UNMATCHED;
  if (capture->mode != 2 && !pthread_equal(capture->thread, pthread_self())) return CAPTURE_WRONG_THREAD;
  int error = capture->valid ? SUCCESS : CAPTURE_INVALIDATED;
  auto leave = [&](Stream& other) {
    if (other.capture != capture) return;
    if (&other != stream && other.joined < other.captured && !error) error = CAPTURE_UNJOINED;
    other.capture.reset();
  };
  for (Stream* other : driver().streams) leave(*other);
  for (auto& entry : driver().per_thread) leave(entry.second);
  driver().captures.erase(capture);
  if (error) {
    delete capture->graph;
    return error;
  }
  driver().graphs.insert(capture->graph);
  *graph = capture->graph;
  return SUCCESS;
}

static int capture_status(const Stream& stream) { return !stream.capture ? 0 : stream.capture->valid ? 1 : 2; }

EXPORT int cuStreamIsCapturing(void* handle, int* status) {
  ENTER_CONTEXT(cuStreamIsCapturing)
  STREAM(stream, handle)
  if (stream == &driver().legacy && blocking_capture()) return CAPTURE_IMPLICIT;
  *status = capture_status(*stream);
  return SUCCESS;
}
static int capture_info(void* handle, int* status, uint64_t* id) {
  STREAM(stream, handle)
  *status = capture_status(*stream);
  if (id && stream->capture) *id = stream->capture->id;
  return SUCCESS;
}
EXPORT int cuStreamGetCaptureInfo(void* stream, int* status, uint64_t* id) {
  ENTER_CONTEXT(cuStreamGetCaptureInfo)
  return capture_info(stream, status, id);
}
EXPORT int cuStreamGetCaptureInfo_v2(void* stream, int* status, uint64_t* id, void** graph, const void** dependencies, size_t* count) {
  ENTER_CONTEXT(cuStreamGetCaptureInfo_v2)
  if (graph) *graph = nullptr;
  if (dependencies) *dependencies = nullptr;
  if (count) *count = 0;
  return capture_info(stream, status, id);
}
EXPORT int cuStreamGetCaptureInfo_v3(void* stream, int* status, uint64_t* id, void** graph, const void** dependencies, const void** edges, size_t* count) {
  ENTER_CONTEXT(cuStreamGetCaptureInfo_v3)
  if (graph) *graph = nullptr;
  if (dependencies) *dependencies = nullptr;
  if (edges) *edges = nullptr;
  if (count) *count = 0;
  return capture_info(stream, status, id);
}
EXPORT int cuThreadExchangeStreamCaptureMode(int* mode) {
  ENTER_CONTEXT(cuThreadExchangeStreamCaptureMode)
  static thread_local int present = 0;
  std::swap(*mode, present);
  return SUCCESS;
}

#define GRAPH(graph, handle, set)             \
  Graph* graph = static_cast<Graph*>(handle); \
  if (!driver().set.count(graph)) return INVALID_VALUE;

static int instantiate(void** executable, void* handle, unsigned long long flags) {
  GRAPH(graph, handle, graphs)
  // Freeing at launch and launching from the device exclude each other.
  if (flags & ~15ull || (flags & 5) == 5) return INVALID_VALUE;
  Graph* copy = new Graph(*graph);
  driver().executables.insert(copy);
  *executable = copy;
  return SUCCESS;
}
EXPORT int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long flags) {
  ENTER_CONTEXT(cuGraphInstantiateWithFlags)
  return instantiate(executable, graph, flags);
}

EXPORT int cuGraphLaunch(void* handle, void* stream_handle) {
  ENTER_CONTEXT(cuGraphLaunch)
  GRAPH(graph, handle, executables)
  STREAM(stream, stream_handle)
  return submit(*stream, [nodes = graph->nodes, memory = graph->memory] {
    for (const Work& work : nodes)
      if (int error = work()) return error;
    return int(SUCCESS);
  });
}

EXPORT int cuGraphUpload(void* handle, void* stream_handle) {
  ENTER_CONTEXT(cuGraphUpload)
  GRAPH(graph, handle, executables)
  STREAM(stream, stream_handle)
  return stream->capture ? invalidate(*stream->capture, CAPTURE_UNSUPPORTED) : SUCCESS;
}

EXPORT int cuGraphExecDestroy(void* handle) {
  ENTER_CONTEXT(cuGraphExecDestroy)
  GRAPH(graph, handle, executables)
  driver().executables.erase(graph);
  delete graph;
  return SUCCESS;
}

EXPORT int cuGraphDestroy(void* handle) {
  ENTER_CONTEXT(cuGraphDestroy)
  GRAPH(graph, handle, graphs)
  driver().graphs.erase(graph);
  delete graph;
  return SUCCESS;
}

EXPORT int cuGraphGetNodes(void* handle, void**, size_t* count) {
  ENTER_CONTEXT(cuGraphGetNodes)
  GRAPH(graph, handle, graphs)
  *count = graph->nodes.size();
  return SUCCESS;
}
