using Weir.Client.Producing;
using Weir.Protocol.Errors;

namespace Weir.Client.Tests.Unit;

[Trait("Category", "Unit")]
public sealed class PartitionSendQueueTests
{
    private readonly PartitionSendQueue _queue = new(isIdempotent: true);
    private readonly List<QueuedBatch> _failed = [];

    public PartitionSendQueueTests() => _queue.SetIdentity(7, 0);

    [Fact]
    public void At_most_five_batches_are_in_flight_and_numbered_in_order()
    {
        var batches = Enqueue(7);
        Assert.Equal(batches[..5], SendAll());
        Assert.Equal([0, 10, 20, 30, 40], batches[..5].Select(batch => batch.Producer.BaseSequence));
        _queue.OnAcknowledged(batches[0]);
        Assert.Equal([batches[5]], SendAll());
        Assert.Equal(50, batches[5].Producer.BaseSequence);
    }

    [Fact]
    public void Nothing_is_numbered_without_an_identity()
    {
        var queue = new PartitionSendQueue(isIdempotent: true);
        queue.Enqueue(new QueuedBatch { RecordCount = 1, Deadline = long.MaxValue });
        Assert.Equal(SendStep.Identify, queue.Decide(0, out _, out _));
        queue.SetIdentity(3, 1);
        Assert.Equal(SendStep.Send, queue.Decide(0, out var batch, out _));
        Assert.Equal((3L, (short)1, 0), (batch!.Producer.ProducerId, batch.Producer.ProducerEpoch, batch.Producer.BaseSequence));
    }

    [Fact]
    public void After_a_retriable_refusal_all_that_is_left_goes_again_in_order_under_the_same_numbers()
    {
        var batches = Enqueue(4);
        SendAll();
        Assert.True(_queue.OnRefused(batches[1], ErrorCode.StorageFull, retryAt: 100));
        _queue.OnAcknowledged(batches[0]);
        Assert.Empty(SendAll());
        Assert.True(_queue.OnRefused(batches[2], ErrorCode.OutOfOrderSequence, 0));
        Assert.True(_queue.OnRefused(batches[3], ErrorCode.OutOfOrderSequence, 0));
        Assert.Equal(SendStep.Wait, _queue.Decide(99, out _, out var until));
        Assert.Equal(100, until);
        Assert.Equal(batches[1..], SendAll(now: 100));
        Assert.Equal([10, 20, 30], batches[1..].Select(batch => batch.Producer.BaseSequence));
        Assert.All(batches, batch => Assert.Equal(7, batch.Producer.ProducerId));
    }

    [Fact]
    public void After_a_lost_connection_nothing_is_sent_before_every_batch_has_landed()
    {
        var batches = Enqueue(3);
        SendAll();
        Assert.True(_queue.OnLost(batches[0]));
        Assert.True(_queue.OnLost(batches[1]));
        Assert.Empty(SendAll());
        Assert.True(_queue.OnLost(batches[2]));
        Assert.Equal(batches, SendAll());
        Assert.Equal([0, 10, 20], batches.Select(batch => batch.Producer.BaseSequence));
    }

    [Fact]
    public void A_batch_refused_for_good_fails_alone_and_the_rest_goes_on_under_a_new_identity()
    {
        var batches = Enqueue(4);
        SendAll();
        _queue.OnAcknowledged(batches[0]);
        Assert.False(_queue.OnRefused(batches[1], ErrorCode.BatchTooLarge, 0));
        Assert.True(_queue.OnRefused(batches[2], ErrorCode.OutOfOrderSequence, 0));
        Assert.Equal(SendStep.None, _queue.Decide(0, out _, out _));
        Assert.True(_queue.OnRefused(batches[3], ErrorCode.OutOfOrderSequence, 0));
        Assert.Equal(SendStep.Identify, _queue.Decide(0, out _, out _));
        _queue.SetIdentity(8, 0);
        Assert.Equal(batches[2..], SendAll());
        Assert.Equal([0, 10], batches[2..].Select(batch => batch.Producer.BaseSequence));
        Assert.All(batches[2..], batch => Assert.Equal(8, batch.Producer.ProducerId));
    }

    [Fact]
    public void The_order_of_refusals_does_not_matter()
    {
        var batches = Enqueue(3);
        SendAll();
        Assert.True(_queue.OnRefused(batches[2], ErrorCode.OutOfOrderSequence, 0));
        Assert.True(_queue.OnRefused(batches[1], ErrorCode.OutOfOrderSequence, 0));
        Assert.False(_queue.OnRefused(batches[0], ErrorCode.InvalidBatch, 0));
        Assert.Equal(SendStep.Identify, _queue.Decide(0, out _, out _));
        _queue.SetIdentity(8, 0);
        Assert.Equal(batches[1..], SendAll());
    }

    [Fact]
    public void Batches_in_doubt_are_resolved_under_the_old_identity_before_it_is_renewed()
    {
        var batches = Enqueue(3);
        SendAll();
        _queue.Expire(now: 0, _failed);
        batches[0].Deadline = 1;
        _queue.Expire(now: 1, _failed);
        Assert.Equal([batches[0]], _failed);
        Assert.True(batches[0].IsAbandoned);

        // The given-up batch is dropped with the connection; the two after it may be in the log.
        Assert.False(_queue.OnLost(batches[0]));
        Assert.True(_queue.OnLost(batches[1]));
        Assert.True(_queue.OnLost(batches[2]));
        Assert.Equal(batches[1..], SendAll());
        Assert.Equal([10, 20], batches[1..].Select(batch => batch.Producer.BaseSequence));

        // The first of them was in the log, and so the one given up was; the second was not.
        _queue.OnAcknowledged(batches[1]);
        Assert.True(_queue.OnRefused(batches[2], ErrorCode.OutOfOrderSequence, 0));
        Assert.Equal(SendStep.Identify, _queue.Decide(1, out _, out _));
        _queue.SetIdentity(8, 0);
        Assert.Equal([batches[2]], SendAll());
        Assert.Equal((8L, 0), (batches[2].Producer.ProducerId, batches[2].Producer.BaseSequence));
    }

    [Fact]
    public void A_forgotten_producer_is_renewed_for_batches_that_are_not_in_doubt()
    {
        var batches = Enqueue(3);
        SendAll();
        _queue.OnAcknowledged(batches[0]);
        Assert.True(_queue.OnRefused(batches[1], ErrorCode.UnknownProducer, 0));
        Assert.True(_queue.OnRefused(batches[2], ErrorCode.UnknownProducer, 0));
        Assert.Equal(SendStep.Identify, _queue.Decide(0, out _, out _));
    }

    [Fact]
    public void A_forgotten_producer_fails_batches_in_doubt_and_spares_the_others()
    {
        var batches = Enqueue(3);
        Assert.Equal(SendStep.Send, _queue.Decide(0, out var first, out _));
        _queue.MarkSent(first!);
        _queue.OnAcknowledged(batches[0]);
        Assert.Equal(SendStep.Send, _queue.Decide(0, out var second, out _));
        _queue.MarkSent(second!);
        _queue.OnLost(batches[1]);
        Assert.Equal(batches[1..], SendAll());
        Assert.False(_queue.OnRefused(batches[1], ErrorCode.UnknownProducer, 0));
        Assert.True(_queue.OnRefused(batches[2], ErrorCode.UnknownProducer, 0));
        Assert.Equal(SendStep.Identify, _queue.Decide(0, out _, out _));
    }

    [Fact]
    public void A_gap_with_nothing_missing_here_is_reported_as_a_failure()
    {
        var batches = Enqueue(2);
        SendAll();
        Assert.False(_queue.OnRefused(batches[0], ErrorCode.OutOfOrderSequence, 0));
        Assert.True(_queue.OnRefused(batches[1], ErrorCode.OutOfOrderSequence, 0));
        Assert.Equal(SendStep.Identify, _queue.Decide(0, out _, out _));
    }

    [Fact]
    public void Being_fenced_ends_the_queue()
    {
        var batches = Enqueue(2);
        SendAll();
        Assert.False(_queue.OnRefused(batches[0], ErrorCode.FencedProducer, 0));
        Assert.True(_queue.IsFenced);
        Assert.Equal(SendStep.None, _queue.Decide(0, out _, out _));
    }

    [Fact]
    public void Waiting_batches_expire_without_a_new_identity()
    {
        var batches = Enqueue(6);
        SendAll();
        batches[5].Deadline = 5;
        _queue.Expire(5, _failed);
        Assert.Equal([batches[5]], _failed);
        foreach (var batch in batches[..5])
        {
            _queue.OnAcknowledged(batch);
        }

        Assert.Equal([Enqueue(1)[0]], SendAll());
    }

    [Fact]
    public void Running_out_of_numbers_leads_to_a_new_identity()
    {
        var first = new QueuedBatch { RecordCount = int.MaxValue - 5, Deadline = long.MaxValue };
        _queue.Enqueue(first);
        Enqueue(1);
        Assert.Equal([first], SendAll());
        Assert.Equal(SendStep.None, _queue.Decide(0, out _, out _));
        _queue.OnAcknowledged(first);
        Assert.Equal(SendStep.Identify, _queue.Decide(0, out _, out _));
    }

    [Fact]
    public void Without_acknowledgements_nothing_is_numbered_or_sent_again()
    {
        var queue = new PartitionSendQueue(isIdempotent: false);
        var batch = new QueuedBatch { RecordCount = 1, Deadline = long.MaxValue };
        queue.Enqueue(batch);
        Assert.Equal(SendStep.Send, queue.Decide(0, out _, out _));
        queue.MarkSent(batch);
        Assert.Equal(-1, batch.Producer.BaseSequence);
        Assert.False(queue.OnLost(batch));
        Assert.Equal(0, queue.NumberedCount);
    }

    private QueuedBatch[] Enqueue(int count)
    {
        var batches = Enumerable.Range(0, count)
            .Select(_ => new QueuedBatch { RecordCount = 10, Deadline = long.MaxValue }).ToArray();
        foreach (var batch in batches)
        {
            _queue.Enqueue(batch);
        }

        return batches;
    }

    private List<QueuedBatch> SendAll(long now = 0)
    {
        var sent = new List<QueuedBatch>();
        while (_queue.Decide(now, out var batch, out _) == SendStep.Send)
        {
            _queue.MarkSent(batch!);
            sent.Add(batch!);
        }

        return sent;
    }
}
