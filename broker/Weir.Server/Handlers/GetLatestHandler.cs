using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Server.Partitions;
using Weir.Server.Transport;

namespace Weir.Server.Handlers;

/// <summary>
/// Answers with the latest committed record of a key. What was acknowledged before the request is never missed: only a leader
/// that knows how far its partition is committed answers.
/// </summary>
internal sealed class GetLatestHandler(PartitionTable partitions)
    : RequestHandler<GetLatestRequest, GetLatestResponse>, IDisposable
{
    /// <summary>Look-ups that read at once; others wait their turn.</summary>
    private const int MaxReads = 4;

    private readonly SemaphoreSlim _reads = new(MaxReads);

    public void Dispose() => _reads.Dispose();

    protected override async ValueTask<GetLatestResponse> HandleAsync(Connection connection, GetLatestRequest request)
    {
        var partition = partitions.GetLed(request.TopicId, request.Partition);
        if (partition.Replica.Topic.Kind != TopicKind.Entity)
        {
            throw new ProtocolException(
                ErrorCode.InvalidRequest, $"topic '{partition.Topic}' is no entity topic: its keys have no latest record to look up");
        }

        if (!partition.Replica.IsHighWatermarkCurrent)
        {
            throw new ProtocolException(
                ErrorCode.OffsetNotAvailable, $"{partition.Topic}-{partition.Index}: the new leader does not know yet what is committed");
        }

        var limit = partition.HighWatermark;
        await _reads.WaitAsync().ConfigureAwait(false);
        try
        {
            var found = await Task.Run(() => partition.Log.FindLatest(request.RecordKey, limit)).ConfigureAwait(false);
            return found is null
                ? new GetLatestResponse()
                : new GetLatestResponse
                {
                    Offset = found.Offset,
                    TimestampMs = found.TimestampMs,
                    IsDeleted = found.IsTombstone,
                    Value = found.Value ?? default,
                };
        }
        finally
        {
            _reads.Release();
        }
    }
}
