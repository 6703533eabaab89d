using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Weir.Client.Groups;

/// <summary>
/// Walks the records of a member's partitions, a batch of each in turn. Within a batch a move is a few instructions; a
/// partition is with one enumeration at a time, however many there are.
/// </summary>
internal sealed class GroupEnumerator(
    Channel<StreamedPartition> ready, Action<StreamedPartition> onIdle, Func<StreamedPartition, WeirException, bool> mayGoOnWithout,
    CancellationToken ct) : IAsyncEnumerator<GroupRecord>
{
    private StreamedPartition? _partition;

    public GroupRecord Current => _partition!.Current;

    public ValueTask<bool> MoveNextAsync()
    {
        if (_partition is { } partition)
        {
            partition.Finish();
            if (!ct.IsCancellationRequested && partition.TryMoveInBatch())
            {
                return new ValueTask<bool>(true);
            }
        }

        return MoveSlowlyAsync();
    }

    /// <summary>The record in hand was not finished: whoever reads next gets it.</summary>
    public ValueTask DisposeAsync()
    {
        EndTurn();
        return ValueTask.CompletedTask;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> MoveSlowlyAsync()
    {
        EndTurn();
        while (true)
        {
            ct.ThrowIfCancellationRequested();
            if (!ready.Reader.TryRead(out var partition))
            {
                if (!await ready.Reader.WaitToReadAsync(ct).ConfigureAwait(false))
                {
                    return false;
                }
            }
            else if (partition.TryEnter() && TryMove(partition))
            {
                return true;
            }
        }
    }

    private bool TryMove(StreamedPartition partition)
    {
        try
        {
            if (partition.TryMove())
            {
                _partition = partition;
                return true;
            }
        }
        catch (Exception e) when (partition.IsGivenUp || (e is WeirException fault && mayGoOnWithout(partition, fault)))
        {
            partition.Leave();
            return false;
        }
        catch
        {
            partition.Leave();
            throw;
        }

        partition.Leave();
        onIdle(partition);
        return false;
    }

    private void EndTurn()
    {
        if (_partition is { } partition)
        {
            _partition = null;
            partition.Leave();
            ready.Writer.TryWrite(partition);
        }
    }
}
