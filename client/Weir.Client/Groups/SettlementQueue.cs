using Weir.Client.Connections;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client.Groups;

/// <summary>
/// Brings settlements to the coordinator: those that come while a request is under way go with the next one, neighbours as one
/// range. Thread-safe.
/// </summary>
internal sealed class SettlementQueue(ClusterConnections cluster, Membership member)
{
    private const int MaxPerRequest = 10_000;
    private readonly Lock _gate = new();
    private List<Pending> _waiting = [];
    private TaskCompletionSource? _idle;
    private bool _isSending;

    /// <summary>Called with a delivery that is settled, or not this member's any more.</summary>
    public Action<Delivery> OnSettled { get; set; } = static _ => { };

    /// <summary>Settles a delivery; the task ends when the coordinator has kept it or refused it.</summary>
    public Task SettleAsync(Delivery delivery, SettleAction action, long delayMs, string? reason)
    {
        var pending = new Pending(delivery, action, delayMs, Settlement.Shorten(reason));
        delivery.IsSettled |= action != SettleAction.Extend;
        lock (_gate)
        {
            _waiting.Add(pending);
            if (!_isSending)
            {
                _isSending = true;
                ThreadPool.UnsafeQueueUserWorkItem(static queue => _ = queue.SendAsync(), this, preferLocal: false);
            }
        }

        return pending.Done.Task;
    }

    /// <summary>Ends when nothing is on its way any more.</summary>
    public Task WhenIdleAsync()
    {
        lock (_gate)
        {
            if (!_isSending)
            {
                return Task.CompletedTask;
            }

            _idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _idle.Task;
        }
    }

    private async Task SendAsync()
    {
        while (true)
        {
            List<Pending> batch;
            lock (_gate)
            {
                if (_waiting.Count == 0)
                {
                    _isSending = false;
                    _idle?.SetResult();
                    _idle = null;
                    return;
                }

                batch = _waiting.Count <= MaxPerRequest ? _waiting : _waiting.GetRange(0, MaxPerRequest);
                _waiting = _waiting.Count <= MaxPerRequest ? [] : _waiting.GetRange(MaxPerRequest, _waiting.Count - MaxPerRequest);
            }

            await SendAsync(batch).ConfigureAwait(false);
        }
    }

    private async Task SendAsync(List<Pending> batch)
    {
        var settlements = Join(batch, out var first);
        try
        {
            var response = await cluster.RequestAsync<SettleRequest, SettleResponse>(
                member.GetConnectionAsync,
                new SettleRequest { GroupId = member.GroupId, MemberId = member.MemberId, Settlements = [.. settlements] },
                isRepeatable: false, CancellationToken.None).ConfigureAwait(false);
            Answer(batch, first, response);
        }
        catch (Exception e)
        {
            foreach (var pending in batch)
            {
                pending.Fail(e);
                if (pending.Action != SettleAction.Extend)
                {
                    OnSettled(pending.Delivery);
                }
            }
        }
    }

    /// <summary>Neighbours that are settled alike become one range.</summary>
    private static List<Settlement> Join(List<Pending> batch, out List<int> first)
    {
        var settlements = new List<Settlement>();
        first = [];
        for (var i = 0; i < batch.Count; i++)
        {
            var one = batch[i];
            if (settlements.Count > 0 && settlements[^1] is var last && last.TopicId == one.Delivery.TopicId
                && last.Partition == one.Delivery.Partition && last.Action == one.Action && last.LastOffset + 1 == one.Delivery.Offset
                && last.DelayMs == one.DelayMs && last.Reason == one.Reason)
            {
                last.LastOffset++;
                continue;
            }

            first.Add(i);
            settlements.Add(new Settlement
            {
                TopicId = one.Delivery.TopicId,
                Partition = one.Delivery.Partition,
                Action = one.Action,
                FirstOffset = one.Delivery.Offset,
                LastOffset = one.Delivery.Offset,
                DelayMs = one.DelayMs,
                Reason = one.Reason,
            });
        }

        return settlements;
    }

    private void Answer(List<Pending> batch, List<int> first, SettleResponse response)
    {
        var refused = new Dictionary<int, ErrorCode>();
        foreach (var failure in response.Failures)
        {
            if (failure.Index >= 0 && failure.Index < first.Count)
            {
                var index = first[failure.Index] + (int)(failure.Offset - batch[first[failure.Index]].Delivery.Offset);
                refused[index] = failure.Error;
            }
        }

        for (var i = 0; i < batch.Count; i++)
        {
            if (refused.TryGetValue(i, out var error))
            {
                var delivery = batch[i].Delivery;
                batch[i].Fail(WeirException.At(error, string.Empty, delivery.Topic, delivery.Partition, delivery.Offset));
            }
            else
            {
                batch[i].Done.TrySetResult();
            }

            if (batch[i].Action != SettleAction.Extend || refused.ContainsKey(i))
            {
                OnSettled(batch[i].Delivery);
            }
        }
    }

    private sealed class Pending(Delivery delivery, SettleAction action, long delayMs, string? reason)
    {
        public Delivery Delivery => delivery;

        public SettleAction Action => action;

        public long DelayMs => delayMs;

        public string? Reason => reason;

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Whoever does not await the task has chosen not to be told.</summary>
        public void Fail(Exception e)
        {
            Done.TrySetException(e);
            _ = Done.Task.Exception;
        }
    }
}
