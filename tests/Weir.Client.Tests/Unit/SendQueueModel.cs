using CsCheck;
using Weir.Client.Producing;
using Weir.Protocol.Errors;

namespace Weir.Client.Tests.Unit;

/// <summary>
/// The send queue against a model of the broker's rules (last sequence and five batches per producer id), under lost
/// connections, refusals, reordered replies, forgotten ids and given-up batches.
/// </summary>
[Trait("Category", "Unit")]
public sealed class SendQueueModel
{
    [Fact]
    public void No_batch_is_in_the_log_twice_and_order_is_kept() =>
        Gen.Int[0, 99].Array[20, 200].Sample(steps => new Run(steps).Go(), iter: 3_000);

    private sealed class Run(int[] steps)
    {
        private readonly PartitionSendQueue _queue = new(isIdempotent: true);
        private readonly List<Numbered> _sentAndUnanswered = [];
        private readonly List<int> _log = [];
        private readonly HashSet<int> _acknowledged = [];
        private readonly HashSet<int> _failed = [];
        private readonly Dictionary<long, List<(int Base, int Last)>> _producers = [];
        private int _created;
        private long _lastId;

        public void Go()
        {
            foreach (var step in steps)
            {
                Take(step);
            }

            // Calm at the end: everything that is left settles.
            for (var i = 0; i < 500; i++)
            {
                Pump();
                AnswerOne(0, ErrorCode.None);
            }

            Assert.Equal(_log.Count, _log.Distinct().Count());
            Assert.Equal(_log.Order(), _log);
            Assert.All(_acknowledged, id => Assert.Contains(id, _log));
            Assert.Equal(_created, _acknowledged.Count + _failed.Count);
        }

        private void Take(int step)
        {
            switch (step)
            {
                case < 30:
                    _queue.Enqueue(new Numbered(_created++) { RecordCount = 1 + (step % 3), Deadline = long.MaxValue });
                    Pump();
                    break;
                case < 75:
                    AnswerOne(step, ErrorCode.None);
                    break;
                case < 82:
                    AnswerOne(step, ErrorCode.StorageFull);
                    break;
                case < 85:
                    AnswerOne(step, ErrorCode.BatchTooLarge);
                    break;
                case < 88:
                    AnswerOne(step, ErrorCode.RequestTimedOut);
                    break;
                case < 94:
                    LoseConnection(step);
                    break;
                default:
                    GiveUpFirst();
                    break;
            }

            Pump();
        }

        private void Pump()
        {
            while (true)
            {
                switch (_queue.Decide(long.MaxValue, out var batch, out _))
                {
                    case SendStep.Send:
                        _queue.MarkSent(batch!);
                        _sentAndUnanswered.Add((Numbered)batch!);
                        break;
                    case SendStep.Identify:
                        _queue.SetIdentity(++_lastId, 0);
                        break;
                    default:
                        return;
                }
            }
        }

        /// <summary>The broker takes the oldest request that it has not taken; the reply comes at once.</summary>
        private void AnswerOne(int _, ErrorCode refusal)
        {
            if (_sentAndUnanswered.Count == 0)
            {
                return;
            }

            var batch = _sentAndUnanswered[0];
            _sentAndUnanswered.RemoveAt(0);
            var code = refusal is ErrorCode.None or ErrorCode.RequestTimedOut ? Append(batch) : refusal;
            code = code == ErrorCode.None && refusal == ErrorCode.RequestTimedOut ? refusal : code;
            var wasAbandoned = batch.IsAbandoned;
            if (code == ErrorCode.None)
            {
                _queue.OnAcknowledged(batch);
                if (!wasAbandoned)
                {
                    Assert.True(_acknowledged.Add(batch.Id));
                }
            }
            else if (!_queue.OnRefused(batch, code, long.MinValue) && !wasAbandoned)
            {
                Assert.True(_failed.Add(batch.Id));
            }
        }

        /// <summary>Some of what was sent reached the broker; no reply comes.</summary>
        private void LoseConnection(int step)
        {
            var reached = step % 6;
            foreach (var batch in _sentAndUnanswered)
            {
                if (reached-- > 0)
                {
                    Append(batch);
                }
            }

            foreach (var batch in _sentAndUnanswered)
            {
                var wasAbandoned = batch.IsAbandoned;
                if (!_queue.OnLost(batch) && !wasAbandoned)
                {
                    Assert.True(_failed.Add(batch.Id));
                }
            }

            _sentAndUnanswered.Clear();
        }

        private void GiveUpFirst()
        {
            if (_queue.Unfinished.FirstOrDefault() is { } first)
            {
                first.Deadline = 0;
                var failed = new List<QueuedBatch>();
                _queue.Expire(0, failed);
                Assert.All(failed.Cast<Numbered>(), batch => Assert.True(_failed.Add(batch.Id)));
            }
        }

        private ErrorCode Append(Numbered batch)
        {
            var (id, first) = (batch.Producer.ProducerId, batch.Producer.BaseSequence);
            var last = first + batch.RecordCount - 1;
            if (!_producers.TryGetValue(id, out var known))
            {
                if (first != 0)
                {
                    return ErrorCode.UnknownProducer;
                }

                _producers[id] = known = [];
            }
            else if (known.Contains((first, last)))
            {
                return ErrorCode.None;
            }
            else if (known[^1].Last + 1 != first)
            {
                return ErrorCode.OutOfOrderSequence;
            }

            known.Add((first, last));
            if (known.Count > 5)
            {
                known.RemoveAt(0);
            }

            _log.Add(batch.Id);
            return ErrorCode.None;
        }
    }

    private sealed class Numbered(int id) : QueuedBatch
    {
        public int Id => id;
    }
}
