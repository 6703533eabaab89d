using Weir.Client.Connections;
using Weir.Protocol;
using Weir.Protocol.Messages;

namespace Weir.Client.Producing;

/// <summary>
/// Carries out what a partition's <see cref="PartitionSendQueue"/> decides: seals, takes window, sends. Runs on whichever
/// thread brings news, one at a time, so that batches leave in order, and never waits.
/// </summary>
internal sealed class PartitionPump(ProducerCore core, PartitionProducer owner, PartitionSendQueue queue, Lock gate)
    : IWindowWaiter
{
    private readonly ProduceRequest _request = new() { Partition = owner.Partition, Acks = core.Options.Acks, Writer = core.Options.Writer };
    private bool _isPumping;
    private bool _pumpAgain;
    private bool _isPreparing;
    private bool _waitsForWindow;

    /// <summary>
    /// Takes a batch's room in the window off it; the caller gives it back. Under the lock: one that is to be sent again may be at
    /// once.
    /// </summary>
    public static ProduceWindow? LeaveWindow(ProducerBatch batch, out int bytes)
    {
        bytes = batch.WindowBytes;
        var window = batch.SentOn?.Window;
        batch.SentOn = null;
        return window;
    }

    public void OnWindowOpen()
    {
        lock (gate)
        {
            _waitsForWindow = false;
        }

        Run();
    }

    /// <summary>What was prepared is there, or will not come. Called under the lock; run the pump after it.</summary>
    public void EndPreparing() => _isPreparing = false;

    /// <summary>Sends what can be sent now. Called from any thread, without the lock.</summary>
    public void Run()
    {
        lock (gate)
        {
            if (_isPumping)
            {
                _pumpAgain = true;
                return;
            }

            if (_isPreparing || _waitsForWindow)
            {
                // Who prepares, or opens the window, pumps.
                return;
            }

            _isPumping = true;
        }

        while (TryTakeStep(out var batch))
        {
            if (!TrySend(batch))
            {
                lock (gate)
                {
                    if (!_pumpAgain)
                    {
                        _isPumping = false;
                        return;
                    }

                    _pumpAgain = false;
                }
            }
        }
    }

    /// <summary>The next batch to send, or the end of the pump.</summary>
    private bool TryTakeStep(out ProducerBatch batch)
    {
        lock (gate)
        {
            while (true)
            {
                var now = core.Time.GetTimestamp();
                var step = queue.Decide(now, out var next, out var until);
                if (step == SendStep.Send)
                {
                    // In flight from here on, so that nobody gives it up and its buffer with it while it is sealed.
                    batch = (ProducerBatch)next!;
                    queue.MarkSent(batch);
                    return true;
                }

                if (step == SendStep.None && owner.TryCloseDue(now))
                {
                    continue;
                }

                if (step == SendStep.Wait)
                {
                    core.PumpAt(until);
                }
                else if (step == SendStep.Identify)
                {
                    Prepare(renewsIdentity: true);
                }

                if (!_pumpAgain)
                {
                    _isPumping = false;
                    batch = null!;
                    return false;
                }

                _pumpAgain = false;
            }
        }
    }

    private bool TrySend(ProducerBatch batch)
    {
        if (core.OpenLeader(owner.Partition) is not { } connection)
        {
            TakeBack(batch, mustConnect: true);
            return false;
        }

        var topic = core.Topic;
        _request.TopicId = topic.Id;
        _request.Batch = batch.Seal(topic.Id, owner.Partition, core.Options.Compression);
        var bytes = _request.Batch.Length + core.FrameOverheadBytes;
        lock (gate)
        {
            // Under the lock, so that the window cannot open before the flag is set.
            if (!connection.Window.TryTake(bytes, this))
            {
                _waitsForWindow = true;
            }
            else
            {
                batch.SentOn = connection;
                batch.WindowBytes = bytes;
            }
        }

        if (batch.SentOn is null)
        {
            TakeBack(batch, mustConnect: false);
            return false;
        }

        var isSent = core.Options.Acks == Acks.None
            ? connection.TryPush(ApiKey.Produce, _request, batch)
            : connection.TryRequest(ApiKey.Produce, _request, batch);
        if (!isSent)
        {
            LeaveWindow(batch, out _)?.Release(bytes);
            TakeBack(batch, mustConnect: true);
        }

        return isSent;
    }

    /// <summary>A batch could not leave: it stays first, unless it was given up meanwhile.</summary>
    private void TakeBack(ProducerBatch batch, bool mustConnect)
    {
        bool stays;
        lock (gate)
        {
            stays = queue.MarkUnsent(batch);
            if (mustConnect)
            {
                Prepare(renewsIdentity: false);
            }
        }

        if (!stays)
        {
            core.Retire(batch);
        }
    }

    /// <summary>Starts to get what is missing, once at a time. Called under the lock.</summary>
    private void Prepare(bool renewsIdentity)
    {
        if (!_isPreparing && owner.Closed is null)
        {
            _isPreparing = true;
            core.Prepare(owner, renewsIdentity);
        }
    }
}
