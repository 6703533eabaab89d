using System.Threading.Channels;
using Weir.Client.Connections;
using Weir.Client.Metadata;
using Weir.Protocol.Messages;

namespace Weir.Client.Groups;

/// <summary>Records of one partition, read ahead for the application.</summary>
internal sealed record RecordChunk(StreamedPartition Partition, List<ConsumedRecord> Records);

/// <summary>
/// A partition that a member of a stream group owns: reads it, and knows how far the application is. Thread-safe.
/// </summary>
internal sealed class StreamedPartition(AssignedPartition assigned, string topic, TimeProvider time) : IDisposable
{
    private const int ChunkRecords = 1000;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _inHandSince = -1;
    private bool _isGivenUp;

    public string Topic => topic;

    public int Index => assigned.Partition;

    public Guid TopicId => assigned.TopicId;

    public int FencingToken => assigned.AssignmentEpoch;

    /// <summary>Everything below is finished; -1 before the first record.</summary>
    public long Position { get; private set; } = -1;

    /// <summary>What was committed last.</summary>
    public long Committed { get; set; } = -1;

    /// <summary>Completes once the member gives it up and the application has no record of it in hand.</summary>
    public Task Released => _released.Task;

    public bool IsGivenUp
    {
        get
        {
            lock (_gate)
            {
                return _isGivenUp;
            }
        }
    }

    /// <summary>How long the application has had its record.</summary>
    public TimeSpan InHandFor
    {
        get
        {
            lock (_gate)
            {
                return _inHandSince < 0 ? TimeSpan.Zero : time.GetElapsedTime(_inHandSince);
            }
        }
    }

    /// <summary>Reads until it is given up; what goes wrong otherwise is the caller's.</summary>
    public async Task ReadAsync(
        ClusterConnections cluster, TopicCatalog catalog, GroupConsumerOptions options, ChannelWriter<RecordChunk> target)
    {
        try
        {
            var token = _stop.Token;
            var start = options.StartOffset is { } find
                ? await find(new TopicPartition(topic, Index), FencingToken, token).ConfigureAwait(false) ?? assigned.Offset
                : assigned.Offset;
            var consumer = new WeirConsumer(
                topic,
                new ConsumerOptions
                {
                    Partitions = [Index], Start = ConsumerStart.AtOffset(start), PrefetchBytes = options.PrefetchBytes,
                },
                cluster, catalog, static _ => { });
            await using (consumer.ConfigureAwait(false))
            {
                await PumpAsync(consumer, target, token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // It is given up.
        }
    }

    /// <summary>The application gets a record; false if the partition is given up.</summary>
    public bool TryBegin()
    {
        lock (_gate)
        {
            _inHandSince = _isGivenUp ? -1 : time.GetTimestamp();
            return !_isGivenUp;
        }
    }

    /// <summary>The application is done with its record, or has dropped it.</summary>
    /// <param name="next">The offset behind it; null if it was not finished.</param>
    public void Finish(long? next)
    {
        lock (_gate)
        {
            Position = next ?? Position;
            _inHandSince = -1;
            if (_isGivenUp)
            {
                _released.TrySetResult();
            }
        }
    }

    /// <summary>Everything below an offset is finished.</summary>
    public void Mark(long next)
    {
        lock (_gate)
        {
            Position = Math.Max(Position, next);
        }
    }

    /// <summary>No further record is handed out.</summary>
    public void GiveUp()
    {
        lock (_gate)
        {
            _isGivenUp = true;
            if (_inHandSince < 0)
            {
                _released.TrySetResult();
            }
        }

        _stop.Cancel();
    }

    public void Dispose() => _stop.Dispose();

    private async Task PumpAsync(WeirConsumer consumer, ChannelWriter<RecordChunk> target, CancellationToken token)
    {
        var records = new List<ConsumedRecord>();
        var reading = consumer.ReadAllAsync(token).GetAsyncEnumerator(token);
        await using (reading.ConfigureAwait(false))
        {
            while (true)
            {
                var next = reading.MoveNextAsync();
                if ((!next.IsCompleted && records.Count > 0) || records.Count >= ChunkRecords)
                {
                    await target.WriteAsync(new RecordChunk(this, records), token).ConfigureAwait(false);
                    records = [];
                }

                if (!await next.ConfigureAwait(false))
                {
                    return;
                }

                records.Add(reading.Current);
            }
        }
    }
}
